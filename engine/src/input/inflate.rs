//! `Inflate`: what is deflated (RFC 1951), and `Gzip`, members of it with a frame around (RFC 1952). flate2 unpacks; its state is
//! kept for what comes next. It is 48 KiB at an address that is a multiple of 64, and where it is asked for and given back ten
//! thousand times, for as many small members, glibc fills none of the holes again.

use std::{
    cell::RefCell,
    io::{self, BufRead, ErrorKind, Read},
};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// States kept in a thread: about as many as packings lie in each other.
const IDLE: usize = 4;

thread_local! {
    static STATES: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// The state of the library, given back when it is dropped.
struct State(Option<Decompress>);

impl State {
    fn new() -> Self {
        let kept = STATES.try_with(|states| states.borrow_mut().pop()).ok().flatten();
        let mut state = Self(Some(kept.unwrap_or_else(|| Decompress::new(false))));
        state.inner().reset(false);
        state
    }

    fn inner(&mut self) -> &mut Decompress {
        self.0.get_or_insert_with(|| Decompress::new(false))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let state = self.0.take();
        // Where the thread ends there is nobody to keep it for.
        let _ = STATES.try_with(|states| {
            let mut states = states.borrow_mut();
            let room = IDLE.saturating_sub(states.len());
            states.extend(state.into_iter().take(room));
        });
    }
}

/// Reads what is deflated, up to the end that it has by itself.
pub(super) struct Inflate<R> {
    packed: R,
    state: State,
    ended: bool,
}

impl<R: BufRead> Inflate<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { packed, state: State::new(), ended: false }
    }

    /// Begins with what follows.
    fn again(&mut self) {
        self.state.inner().reset(false);
        self.ended = false;
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let packed = match self.packed.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                packed => packed?,
            };
            let is_end = packed.is_empty();
            let state = self.state.inner();
            let (before_in, before_out) = (state.total_in(), state.total_out());
            let flush = if is_end { FlushDecompress::Finish } else { FlushDecompress::None };
            let status = state.decompress(packed, buffer, flush);
            let (taken, made) = (state.total_in() - before_in, state.total_out() - before_out);
            self.packed.consume(taken as usize);
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(Status::Ok | Status::BufError) if made == 0 && is_end => {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => return Err(broken("corrupt deflate stream")),
            }
            if made > 0 {
                return Ok(made as usize);
            }
        }
        Ok(0)
    }
}

/// Reads members of gzip one after the other. Zeros behind the last are passed over, as gzip(1) does: tapes and some programs
/// fill up with them.
pub(super) struct Gzip<R> {
    /// `None` is the end.
    member: Option<Inflate<R>>,
    /// Whether its header was read.
    begun: bool,
    /// Of what was unpacked of it.
    sum: Crc,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { member: Some(Inflate::new(packed)), begun: false, sum: Crc::new() }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            if !self.begun {
                header(&mut member.packed)?;
                self.begun = true;
                self.sum.reset();
            }
            let n = member.read(buffer)?;
            self.sum.update(&buffer[..n]);
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            let mut trailer = [0; 8];
            member.packed.read_exact(&mut trailer)?;
            let [a, b, c, d, length @ ..] = trailer;
            if u32::from_le_bytes([a, b, c, d]) != self.sum.sum() || u32::from_le_bytes(length) != self.sum.amount() {
                self.member = None;
                return Err(broken("corrupt gzip stream does not have a matching checksum"));
            }
            match after_zeros(&mut member.packed)? {
                None => self.member = None,
                Some(0x1f) => {
                    member.again();
                    self.begun = false;
                }
                Some(_) => {
                    self.member = None;
                    return Err(io::Error::other("what follows is no gzip"));
                }
            }
        }
        Ok(0)
    }
}

/// Reads the header of a member (RFC 1952, 2.3).
fn header(packed: &mut impl BufRead) -> io::Result<()> {
    const SUMMED: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAMED: u8 = 1 << 3;
    const COMMENTED: u8 = 1 << 4;
    let mut sum = Crc::new();
    let mut fixed = [0; 10];
    read(packed, &mut fixed, &mut sum)?;
    let [0x1f, 0x8b, 8, flags, ..] = fixed else { return Err(broken("invalid gzip header")) };
    if flags & EXTRA != 0 {
        let mut length = [0; 2];
        read(packed, &mut length, &mut sum)?;
        let mut extra = vec![0; usize::from(u16::from_le_bytes(length))];
        read(packed, &mut extra, &mut sum)?;
    }
    for flag in [NAMED, COMMENTED] {
        let mut byte = [u8::from(flags & flag != 0)];
        while byte != [0] {
            read(packed, &mut byte, &mut sum)?;
        }
    }
    if flags & SUMMED != 0 {
        let (found, mut told) = (sum.sum() as u16, [0; 2]);
        packed.read_exact(&mut told)?;
        if u16::from_le_bytes(told) != found {
            return Err(broken("the header of gzip does not have a matching checksum"));
        }
    }
    Ok(())
}

/// Reads so much of a header, which has a sum of its own.
fn read(packed: &mut impl BufRead, bytes: &mut [u8], sum: &mut Crc) -> io::Result<()> {
    packed.read_exact(bytes)?;
    sum.update(bytes);
    Ok(())
}

/// The next byte that is not zero.
fn after_zeros(packed: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = match packed.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let (next, is_end) = (bytes.get(zeros).copied(), bytes.is_empty());
        packed.consume(zeros);
        if next.is_some() || is_end {
            return Ok(next);
        }
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder, write::DeflateEncoder};

    use super::*;

    #[test]
    fn headers_of_gzip_may_have_all_that_they_can() {
        let mut encoder = GzBuilder::new()
            .filename("a.log")
            .comment("what it is")
            .extra(vec![1, 2, 3])
            .mtime(7)
            .write(Vec::new(), Compression::fast());
        encoder.write_all(b"one line\n").unwrap();
        let mut packed = encoder.finish().unwrap();
        // With a sum of the header, which its writer leaves out.
        let end = 10 + 2 + 3 + 6 + 11;
        packed[3] |= 1 << 1;
        let mut sum = Crc::new();
        sum.update(&packed[..end]);
        packed.splice(end..end, (sum.sum() as u16).to_le_bytes());
        let mut text = String::new();
        Gzip::new(&packed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one line\n");
        packed[5] ^= 1;
        assert!(Gzip::new(&packed[..]).read_to_string(&mut text).is_err());
    }

    #[test]
    fn each_state_of_the_library_is_used_again() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[b'x'; 1000]).unwrap();
        let packed = encoder.finish().unwrap();
        for cut in 0..=packed.len() {
            let mut text = Vec::new();
            let read = Inflate::new(&packed[..cut]).read_to_end(&mut text);
            assert_eq!(read.is_ok(), cut == packed.len(), "{cut}");
            assert_eq!(STATES.with_borrow(Vec::len), 1);
        }
        let inside: Vec<_> = (0..2 * IDLE).map(|_| Inflate::new(&packed[..])).collect();
        drop(inside);
        assert_eq!(STATES.with_borrow(Vec::len), IDLE);
    }
}
