//! Finds out how an input is packed and takes the packing off, layer by layer, streamed. What an input is, is decided by
//! its first bytes, never by its name.
//!
//! Bounds: [`MAX_LAYERS`] packings around each other, what is below is read as it is; per layer the window that its format
//! asks for (32 KiB for gzip, at most 128 MiB for zstd, 8 MiB unless packed with `--long` or `--ultra`). There is no bound
//! on the ratio of expansion: text is folded as it comes and not kept, so a small file that unpacks to much takes time
//! only, and can be cancelled. Should it need one, [`Unpacked`] sees both counts.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{Progress, input::Source};

/// Packings that are taken off.
const MAX_LAYERS: usize = 4;

/// Bytes read of a packed input at a time.
const PACKED_BUFFER: usize = 128 << 10;

/// Bytes that tell a packing.
const MAGIC: usize = 4;

/// The text of an input.
pub(crate) struct Unpacked<'p> {
    /// The text, as far as it can be read.
    pub(crate) text: Box<dyn BufRead + 'p>,
    /// Outermost first.
    pub(crate) packing: Vec<&'static str>,
    /// Whether the text lies in a file as it is, and can be read there again.
    pub(crate) in_place: bool,
    taken: Arc<AtomicU64>,
}

impl<'p> Unpacked<'p> {
    /// Opens an input. The error is for a person, who knows the name.
    pub(crate) fn open(source: Source, progress: &'p Progress) -> Result<Self, String> {
        let (raw, regular): (Box<dyn Read>, bool) = match source {
            Source::Reader(reader) => (reader, false),
            Source::File(path) => {
                let file = File::open(&path).map_err(|e| format!("cannot be opened: {e}; it is left out"))?;
                let about = file.metadata().map_err(|e| format!("cannot be looked at: {e}; it is left out"))?;
                if about.is_dir() {
                    return Err("is a directory; a file was expected; name the files in it".into());
                }
                (Box::new(file), about.is_file())
            }
        };
        let taken = Arc::new(AtomicU64::new(0));
        let metered = BufReader::with_capacity(PACKED_BUFFER, Metered { raw, progress });
        let counted = Counted { inner: metered, taken: Arc::clone(&taken) };
        let mut this = Self { text: Box::new(counted), packing: Vec::new(), in_place: false, taken };
        while this.packing.len() < MAX_LAYERS
            && let Some(packing) = this.unwrap_layer()
        {
            this.packing.push(packing);
        }
        this.in_place = regular && this.packing.is_empty();
        Ok(this)
    }

    /// What to tell about an error in the middle, without what was done about it.
    pub(crate) fn damage(&self, error: &io::Error) -> String {
        let at = self.taken.load(Relaxed);
        match (self.packing.first(), error.kind()) {
            (Some(packing), io::ErrorKind::UnexpectedEof) => {
                format!("ends in the middle of its {packing} data, at byte {at}")
            }
            (Some(packing), _) => format!("has damaged {packing} data at byte {at} ({error})"),
            (None, _) => format!("cannot be read past byte {at} ({error})"),
        }
    }

    /// Puts the reader of the outermost packing, if there is one, in place of the text.
    fn unwrap_layer(&mut self) -> Option<&'static str> {
        let mut text = std::mem::replace(&mut self.text, Box::new(io::empty()));
        let mut head = Vec::with_capacity(MAGIC);
        if let Err(error) = text.by_ref().take(MAGIC as u64).read_to_end(&mut head) {
            text = Box::new(BufReader::with_capacity(1, Broken(Some(error))));
        }
        let packing = packing(&head);
        let text = Cursor::new(head).chain(text);
        self.text = match packing {
            Some("gzip") => unpacked(flate2::bufread::MultiGzDecoder::new(text)),
            Some(_) => match zstd::stream::read::Decoder::with_buffer(text) {
                Ok(decoder) => unpacked(decoder),
                Err(error) => unpacked(Broken(Some(error))),
            },
            None => Box::new(text),
        };
        packing
    }
}

fn unpacked<'p>(decoder: impl Read + 'p) -> Box<dyn BufRead + 'p> {
    Box::new(BufReader::with_capacity(PACKED_BUFFER, decoder))
}

/// Fails as something before it did.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// The packing that begins like this. RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2.
fn packing(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x1f, 0x8b, 8, _] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some("zstd"),
        _ => None,
    }
}

/// Tells the progress what is read, and fails once the run is cancelled, so that nothing reads on for long.
struct Metered<'p> {
    raw: Box<dyn Read>,
    progress: &'p Progress,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let n = self.raw.read(buffer)?;
        self.progress.bytes_read.fetch_add(n as u64, Relaxed);
        Ok(n)
    }
}

/// Counts what the layer above has taken, which is where it stands when it finds a damage.
struct Counted<R> {
    inner: BufReader<R>,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.fetch_add(n as u64, Relaxed);
        Ok(n)
    }
}

impl<R: Read> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.taken.fetch_add(n as u64, Relaxed);
        self.inner.consume(n);
    }
}
