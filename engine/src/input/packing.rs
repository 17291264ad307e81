//! `Packing`: what a run of bytes is packed as, by its first bytes, and the reader that takes it off.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use lzma_rust2::{Action, Status, XzStream};

use super::inflate::Gzip;
use crate::settings::Unpacking;

/// Bytes that tell a packing: a header of tar.
pub(crate) const MAGIC: usize = 512;

/// What is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
    Tar,
    Zip,
}

impl Packing {
    /// The packing that begins like this. RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2; the xz file format
    /// 2.1.1.1; the LZ4 frame format; POSIX pax, "ustar interchange format"; APPNOTE 4.3.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, _, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if bzip2_block(rest) => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            // A member, or the end of an empty archive.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            _ => is_tar(head).then_some(Self::Tar),
        }
    }

    /// As in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Tar => "tar",
            Self::Zip => "zip",
        }
    }

    /// Takes a compression off; archives are not read here.
    pub(crate) fn decoder<'t>(self, packed: impl BufRead + 't, bounds: Unpacking) -> io::Result<Box<dyn Read + 't>> {
        Ok(match self {
            Self::Gzip => Box::new(Gzip::new(packed)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                // Below 10 and above 31 are not windows that zstd has.
                decoder.window_log_max(bounds.max_window.max(1).ilog2().clamp(10, 31))?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Xz => {
                // The dictionary and about a hundred KiB beside it.
                let kib = u32::try_from((bounds.max_window >> 10) + 1024).unwrap_or(u32::MAX);
                Box::new(Xz { packed, stream: XzStream::new_mem_limit(true, kib), failure: None })
            }
            Self::Lz4 => Box::new(Lz4::new(packed)),
            Self::Tar | Self::Zip => Box::new(packed),
        })
    }
}

/// A block or the end of an empty stream follows the magic of bzip2: three letters alone could be a log line.
fn bzip2_block(rest: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];
    marks.iter().any(|mark| mark.starts_with(&rest[..rest.len().min(mark.len())]))
}

/// Whether this is a header of tar: its sum is right. One of the old kind has nothing else to know it by, so it has a name.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.get(..MAGIC) else { return false };
    let sum = tar::Header::from_byte_slice(block).cksum();
    let blank = |at: usize| (148..156).contains(&at);
    let real: u32 = block.iter().enumerate().map(|(at, b)| if blank(at) { 32 } else { u32::from(*b) }).sum();
    (block[0] != 0 || &block[257..262] == b"ustar") && sum.is_ok_and(|sum| sum == real)
}

/// Reads xz by the decoder that takes bytes as they come: the one that reads by itself wants a block of 64 KiB whole, and loses
/// what is there of one that is cut.
struct Xz<R> {
    packed: R,
    stream: XzStream,
    /// What came behind the bytes that were given last.
    failure: Option<io::Error>,
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        loop {
            let packed = self.packed.fill_buf()?;
            let action = if packed.is_empty() { Action::Finish } else { Action::Run };
            let before = self.stream.total_out();
            match self.stream.process(packed, buffer, action) {
                Ok(done) => {
                    self.packed.consume(done.bytes_consumed);
                    if done.bytes_produced > 0 || done.status == Status::StreamEnd || buffer.is_empty() {
                        return Ok(done.bytes_produced);
                    }
                }
                Err(error) => {
                    let n = (self.stream.total_out() - before) as usize;
                    if n == 0 || n > buffer.len() {
                        return Err(error);
                    }
                    self.failure = Some(error);
                    return Ok(n);
                }
            }
        }
    }
}

/// Reads frames of LZ4 one after the other. The library ends at the end of a frame as it does where the data are cut.
struct Lz4<R: Read> {
    frames: lz4_flex::frame::FrameDecoder<Watched<R>>,
    seen: Rc<Seen>,
}

/// How the library read.
#[derive(Default)]
struct Seen {
    /// Bytes since the end of the last frame.
    bytes: Cell<u64>,
    end: Cell<bool>,
}

struct Watched<R> {
    inner: R,
    seen: Rc<Seen>,
}

impl<R: Read> Lz4<R> {
    fn new(inner: R) -> Self {
        let seen = Rc::new(Seen::default());
        Self { frames: lz4_flex::frame::FrameDecoder::new(Watched { inner, seen: Rc::clone(&seen) }), seen }
    }
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.frames.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            match (self.seen.end.get(), self.seen.bytes.replace(0)) {
                (true, 0) => return Ok(0),
                (true, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
                (false, _) => {}
            }
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.seen.bytes.set(self.seen.bytes.get() + n as u64);
        self.seen.end.set(n == 0 && !buffer.is_empty());
        Ok(n)
    }
}
