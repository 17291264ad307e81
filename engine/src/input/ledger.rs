//! `Ledger`: what unpacking one input has cost so far, where it has to stop, and what was found damaged. Every byte that is
//! read or unpacked goes past it; what a packing is, is no business of this file.
//!
//! Layers are numbered from the input itself, 0, inwards. A damage is told by the layer next to the input that met it; the
//! layers inside of that only see their data end.

use std::{
    cell::{Cell, RefCell},
    io::{self, BufRead, BufReader, Read},
    sync::atomic::Ordering::Relaxed,
};

use crate::{Progress, settings::Unpacking};

/// Bytes read of a packed input at a time.
pub(crate) const BUFFER: usize = 128 << 10;

/// The account of one input.
pub(crate) struct Ledger<'p> {
    pub(crate) bounds: Unpacking,
    progress: &'p Progress,
    taken: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<usize>,
    untold: RefCell<Option<String>>,
    /// The outermost layer that is damaged.
    damaged: Cell<usize>,
}

impl<'p> Ledger<'p> {
    pub(crate) fn new(bounds: Unpacking, progress: &'p Progress) -> Self {
        let (taken, unpacked, members, untold) = Default::default();
        Self { bounds, progress, taken, unpacked, members, untold, damaged: Cell::new(usize::MAX) }
    }

    /// Puts the bytes of the input on the account as they are read, and as they are used.
    pub(crate) fn raw<'l>(&'l self, raw: Box<dyn Read>) -> impl BufRead + use<'l, 'p> {
        let metered = Metered { raw, left: self.bounds.max_bytes, failure: None, ledger: self };
        Taken { inner: BufReader::with_capacity(BUFFER, metered), ledger: self }
    }

    /// Puts what a decoder gives on the account, and the damage that it finds.
    pub(crate) fn layer<'l, R: Read>(&'l self, decoder: R, name: &'static str, depth: usize) -> Layer<'l, 'p, R> {
        Layer { decoder, name, depth, ledger: self }
    }

    /// One more member of an archive; false if it is one too many.
    pub(crate) fn admit(&self) -> bool {
        self.members.set(self.members.get() + 1);
        self.members.get() <= self.bounds.max_members
    }

    /// Keeps what is wrong with a layer, unless one further out was to blame already.
    pub(crate) fn damage(&self, name: &str, depth: usize, error: &io::Error) {
        let at = self.taken.get();
        self.keep(depth, || match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("ends in the middle of its {name} data, at byte {at}"),
            io::ErrorKind::OutOfMemory => self.too_much_memory(name),
            // The words of the library that reads zstd.
            _ if error.to_string().contains("too much memory") => self.too_much_memory(name),
            _ => format!("has damaged {name} data at byte {at} ({error})"),
        });
    }

    /// What is wrong and was not told yet, for a person who knows the name.
    pub(crate) fn untold(&self) -> Option<String> {
        self.untold.take()
    }

    /// Whether what comes from a layer can go on; a damage further in is behind us then.
    pub(crate) fn goes_on(&self, depth: usize) -> bool {
        let sound = self.damaged.get() > depth;
        if sound {
            self.damaged.set(usize::MAX);
        }
        sound
    }

    fn keep(&self, depth: usize, text: impl FnOnce() -> String) {
        if self.damaged.get() == usize::MAX {
            self.untold.replace(Some(text()));
        }
        self.damaged.set(self.damaged.get().min(depth));
    }

    /// Fails once more is unpacked than is allowed.
    fn check(&self) -> io::Result<()> {
        let unpacked = self.unpacked.get();
        let Unpacking { max_bytes, max_ratio, .. } = self.bounds;
        let what = if unpacked > max_bytes {
            format!("unpacks to more than the {max_bytes} bytes that are allowed (`max_bytes`)")
        } else if unpacked > Unpacking::FREE_BYTES && unpacked / max_ratio.max(1) > self.taken.get() {
            format!("unpacks to more than {max_ratio} times its size, which is the bound (`max_ratio`)")
        } else {
            return Ok(());
        };
        self.keep(0, || {
            format!("{what}; it is read up to there, {unpacked} bytes; raise the bound if it can be trusted")
        });
        Err(io::Error::other("a bound of unpacking"))
    }

    /// The input goes on behind the bound.
    fn bound(&self) -> io::Error {
        let max = self.bounds.max_bytes;
        self.keep(0, || {
            format!("has more than the {max} bytes that are read of an input (`max_bytes`); raise the bound to read it to its end")
        });
        io::Error::other("a bound of reading")
    }

    fn too_much_memory(&self, name: &str) -> String {
        let bound = self.bounds.max_window;
        format!(
            "has {name} data that need a window of more than {bound} bytes (`max_window`); raise the bound to read it"
        )
    }
}

/// Tells the progress what is read, and fails once the run is cancelled, so that nothing reads on for long, and where an input
/// has more bytes than are to be read. Fills what it is given: how much a decoder gives before a damage depends on how its bytes arrive.
struct Metered<'l, 'p> {
    raw: Box<dyn Read>,
    /// Bytes that may still be read.
    left: u64,
    failure: Option<io::Error>,
    ledger: &'l Ledger<'p>,
}

impl Read for Metered<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ledger.progress.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let mut filled = 0;
        while filled < buffer.len() && self.failure.is_none() {
            let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len() - filled);
            // At the bound one byte more tells whether the input goes on.
            match self.raw.read(&mut buffer[filled..][..room.max(1)]) {
                Ok(0) => break,
                Ok(_) if room == 0 => self.failure = Some(self.ledger.bound()),
                Ok(n) => (filled, self.left) = (filled + n, self.left - n as u64),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.failure = Some(e),
            }
        }
        self.ledger.progress.bytes_read.fetch_add(filled as u64, Relaxed);
        if filled == 0 { self.failure.take().map_or(Ok(0), Err) } else { Ok(filled) }
    }
}

/// Counts what the layer above has taken, which is where it stands when it finds a damage.
struct Taken<'l, 'p> {
    inner: BufReader<Metered<'l, 'p>>,
    ledger: &'l Ledger<'p>,
}

impl Taken<'_, '_> {
    fn add(&self, bytes: usize) {
        self.ledger.taken.set(self.ledger.taken.get() + bytes as u64);
    }

    fn failed(&self, error: io::Error) -> io::Error {
        if error.kind() != io::ErrorKind::Interrupted {
            let at = self.ledger.taken.get();
            self.ledger.keep(0, || format!("cannot be read past byte {at} ({error})"));
        }
        error
    }
}

impl Read for Taken<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer).map_err(|e| self.failed(e))?;
        self.add(n);
        Ok(n)
    }
}

impl BufRead for Taken<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Err(error) = self.inner.fill_buf() {
            return Err(self.failed(error));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.add(n);
        self.inner.consume(n);
    }
}

/// A decoder on the account.
pub(crate) struct Layer<'l, 'p, R> {
    pub(crate) decoder: R,
    name: &'static str,
    depth: usize,
    ledger: &'l Ledger<'p>,
}

impl<R: Read> Read for Layer<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ledger.check()?;
        let n = self.decoder.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.ledger.damage(self.name, self.depth, error);
            }
        })?;
        self.ledger.unpacked.set(self.ledger.unpacked.get() + n as u64);
        Ok(n)
    }
}

/// Part of a layer, of known length or (`u64::MAX`) until its decoder finds the end: a member of an archive as it lies
/// there. Ending early is a damage.
pub(crate) struct Body<'b, 'l, 'p> {
    inner: &'b mut dyn BufRead,
    left: u64,
    pub(crate) taken: u64,
    name: &'static str,
    depth: usize,
    ledger: &'l Ledger<'p>,
}

impl<'b, 'l, 'p> Body<'b, 'l, 'p> {
    pub(crate) fn new(
        inner: &'b mut dyn BufRead,
        length: u64,
        (name, depth): (&'static str, usize),
        ledger: &'l Ledger<'p>,
    ) -> Self {
        Self { inner, left: length, taken: 0, name, depth, ledger }
    }

    /// Passes over what is left; false if that is not there.
    pub(crate) fn skip(&mut self) -> bool {
        io::copy(self, &mut io::sink()).is_ok()
    }
}

impl Read for Body<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buffer.len());
        buffer[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Body<'_, '_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let available = self.inner.fill_buf()?;
        if available.is_empty() {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            self.ledger.damage(self.name, self.depth, &error);
            return Err(error);
        }
        Ok(&available[..available.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))])
    }

    fn consume(&mut self, n: usize) {
        self.left -= n as u64;
        self.taken += n as u64;
        self.inner.consume(n);
    }
}

/// Fails as something before it did.
pub(crate) struct Broken(pub(crate) Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
