//! The members of a zip archive, in the order they lie in it, each by the header before it. So a pipe, a member of another
//! archive and an archive whose end is missing are read like a whole file, without a copy on the disk, and what the
//! directory at the end claims does not matter: it is passed over. A member that was deleted in place but is still there is
//! read as well, and so is an archive that was put behind another. PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4.

use std::io::{self, BufRead, BufReader, Read};

use super::{
    archive::{Reason, Skipped},
    inflate::Inflate,
    ledger::{BUFFER, Body, Broken},
    packing::Packing,
    text::member_name,
    unpack::{Place, Walker},
};
use crate::{Error, settings::Unpacking};

const NAME: &str = "zip";

/// What a size is when it is in the extra field (4.5.3).
const ELSEWHERE: u64 = 0xffff_ffff;

/// What is said of a member before it.
#[derive(Debug)]
struct Header {
    name: Vec<u8>,
    method: u16,
    is_encrypted: bool,
    /// Sizes and sum come after the member.
    is_described: bool,
    /// Sizes of eight bytes are to be expected.
    is_long: bool,
    sum: u32,
    /// Bytes; `None` is not known before its end.
    packed: Option<u64>,
}

/// The marks of what stands in an archive: a member, and the records of the directory (4.3.7 to 4.3.16).
const MEMBER: &[u8] = b"PK\x03\x04";
const LISTED: &[u8] = b"PK\x01\x02";
const SIGNATURE: &[u8] = b"PK\x05\x05";
const EXTRA: &[u8] = b"PK\x06\x08";
const LONG_END: &[u8] = b"PK\x06\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const END: &[u8] = b"PK\x05\x06";

/// Hands on all members.
pub(super) fn members(walker: &mut Walker<'_, '_>, bytes: &mut dyn BufRead, archive: &Place) -> Result<(), Error> {
    let mut skipped = Skipped::default();
    loop {
        let header = match next(bytes) {
            Ok(Some(header)) => header,
            Ok(None) => break,
            Err(error) => {
                walker.ledger.damage(NAME, archive.depth(), &error);
                break;
            }
        };
        let place = archive.member(&member_name(&header.name));
        if !member(walker, bytes, archive, &place, &header, &mut skipped)? {
            break;
        }
    }
    walker.close(archive, skipped);
    Ok(())
}

/// Hands on one member; false if those after it cannot be read.
fn member(
    walker: &mut Walker<'_, '_>,
    bytes: &mut dyn BufRead,
    archive: &Place,
    place: &Place,
    header: &Header,
    skipped: &mut Skipped,
) -> Result<bool, Error> {
    let ledger = walker.ledger;
    let length = header.packed.unwrap_or(u64::MAX);
    let mut body = Body::new(bytes, length, (NAME, archive.depth()), ledger);
    let mut found = None;
    match header.readable() {
        Err(reason) if header.packed.is_none() => {
            skipped.add(reason, &place.path);
            walker.problem(place, "does not say where it ends; the members after it cannot be found");
            return Ok(false);
        }
        Err(reason) => skipped.add(reason, &place.path),
        Ok(method) => {
            let is_folder = header.name.ends_with(b"/");
            if !is_folder && !walker.admit(archive) {
                return Ok(false);
            }
            let decoder = Summed::new(decoder(method, &mut body, ledger.bounds));
            let mut layer = BufReader::with_capacity(BUFFER, ledger.layer(decoder, NAME, place.depth() + 1));
            if !is_folder {
                walker.unwrap(Box::new(&mut layer), place.clone())?;
            }
            let goes_on = ledger.goes_on(archive.depth());
            let is_whole = goes_on && io::copy(&mut layer, &mut io::sink()).is_ok();
            found = is_whole.then(|| layer.into_inner().decoder.result());
            if goes_on && !is_whole && header.packed.is_none() {
                walker.problem(place, "is damaged; the members after it cannot be found");
                return Ok(false);
            }
        }
    }
    if !ledger.goes_on(archive.depth()) || (header.packed.is_some() && !body.skip()) {
        return Ok(false);
    }
    let (packed, unpacked) = (body.taken, found.map(|(bytes, _)| bytes));
    let sum = match header.is_described.then(|| description(bytes, packed, unpacked, header.is_long)) {
        Some(Ok(sum)) => sum,
        Some(Err(error)) => {
            ledger.damage(NAME, archive.depth(), &error);
            return Ok(false);
        }
        None => header.sum,
    };
    if found.is_some_and(|(_, found)| found != sum) {
        walker.problem(place, "is not what was packed: its checksum differs; it is read as it is");
    }
    Ok(true)
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Stored,
    Deflate,
    Deflate64,
    Packed(Packing),
}

impl Header {
    /// How the member is packed (4.4.5), if that is read. What does not show where it ends must say how long it is.
    fn readable(&self) -> Result<Method, Reason> {
        match (self.method, self.packed) {
            _ if self.is_encrypted => Err(Reason::Encrypted),
            (0, Some(_)) => Ok(Method::Stored),
            (8, _) => Ok(Method::Deflate),
            (9, _) => Ok(Method::Deflate64),
            (12, Some(_)) => Ok(Method::Packed(Packing::Bzip2)),
            (93, Some(_)) => Ok(Method::Packed(Packing::Zstd)),
            (95, Some(_)) => Ok(Method::Packed(Packing::Xz)),
            (0 | 12 | 93 | 95, None) => Err(Reason::Endless),
            _ => Err(Reason::Method),
        }
    }
}

/// The header of the next member, be it of an archive that follows the directory of this one; `None` at the end, behind which
/// zeros are nothing.
fn next(bytes: &mut dyn BufRead) -> io::Result<Option<Header>> {
    let mut mark = [0; 4];
    bytes.read_exact(&mut mark)?;
    let mut in_directory = false;
    loop {
        let passed = match &mark[..] {
            MEMBER => return header(bytes).map(Some),
            LISTED => pass_record(bytes, 42, &[24, 26, 28]),
            SIGNATURE => pass_record(bytes, 2, &[0]),
            EXTRA => pass_counted::<4>(bytes),
            LONG_END => pass_counted::<8>(bytes),
            LOCATOR => pass(bytes, 16),
            END => pass_record(bytes, 18, &[16]),
            [0, 0, 0, 0] if in_directory => return Ok(None),
            _ if in_directory => return Err(io::Error::other("what follows its end is no archive")),
            _ => return Err(io::Error::other("the header of a member was expected")),
        };
        in_directory = true;
        // All members are read by then: a directory that is cut takes nothing away.
        if passed.is_err() || bytes.read_exact(&mut mark).is_err() {
            return Ok(None);
        }
    }
}

/// Passes over a record of so many bytes, and what it has besides, the lengths of which, of two bytes, are at these places in it.
fn pass_record(bytes: &mut dyn BufRead, fixed: usize, places: &[usize]) -> io::Result<()> {
    let mut record = [0; 42];
    let record = &mut record[..fixed];
    bytes.read_exact(record)?;
    pass(bytes, places.iter().map(|at| u64::from(u16::from_le_bytes([record[*at], record[at + 1]]))).sum())
}

/// Passes over a record that begins with its length, in so many bytes.
fn pass_counted<const BYTES: usize>(bytes: &mut dyn BufRead) -> io::Result<()> {
    let mut length = [0; 8];
    bytes.read_exact(&mut length[..BYTES])?;
    pass(bytes, u64::from_le_bytes(length))
}

/// Passes over so many bytes.
fn pass(bytes: &mut dyn BufRead, length: u64) -> io::Result<()> {
    let passed = io::copy(&mut bytes.take(length), &mut io::sink())?;
    if passed < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// The rest of the header of a member, behind its mark.
fn header(bytes: &mut dyn BufRead) -> io::Result<Header> {
    let mut fixed = [0; 26];
    bytes.read_exact(&mut fixed)?;
    let two = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let four = |at: usize| u32::from(two(at)) | u32::from(two(at + 2)) << 16;
    let mut name = vec![0; usize::from(two(22))];
    bytes.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(two(24))];
    bytes.read_exact(&mut extra)?;
    let (packed, unpacked) = (u64::from(four(14)), u64::from(four(18)));
    let long = long_sizes(&extra);
    let packed = match long {
        // Both are there, the unpacked one first, if both are elsewhere.
        Some(sizes) if packed == ELSEWHERE => {
            let at = if unpacked == ELSEWHERE { 8 } else { 0 };
            let size = sizes.get(at..at + 8).and_then(|size| size.try_into().ok());
            u64::from_le_bytes(size.ok_or_else(|| io::Error::other("a size was expected"))?)
        }
        _ => packed,
    };
    let flags = two(2);
    Ok(Header {
        method: two(4),
        is_encrypted: flags & 1 != 0,
        is_described: flags & 8 != 0,
        is_long: long.is_some(),
        sum: four(10),
        packed: (flags & 8 == 0 || packed > 0).then_some(packed),
        name,
    })
}

/// The extra field of long sizes (4.5.3).
fn long_sizes(mut extra: &[u8]) -> Option<&[u8]> {
    while let [a, b, c, d, rest @ ..] = extra {
        let (field, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*c, *d])))?;
        if [*a, *b] == [1, 0] {
            return Some(field);
        }
        extra = rest;
    }
    None
}

fn decoder<'t>(method: Method, body: &'t mut Body<'_, '_, '_>, bounds: Unpacking) -> Box<dyn Read + 't> {
    match method {
        Method::Stored => Box::new(body),
        Method::Deflate => Box::new(Inflate::new(body)),
        Method::Deflate64 => Box::new(deflate64::Deflate64Decoder::with_buffer(body)),
        Method::Packed(packing) => packing.decoder(body, bounds).unwrap_or_else(|error| Box::new(Broken(Some(error)))),
    }
}

/// The sum in what comes after a member (4.3.9): a mark, or none, the sum, and both sizes, which are of four bytes or of
/// eight: those that agree with what was found.
fn description(bytes: &mut dyn BufRead, packed: u64, unpacked: Option<u64>, is_long: bool) -> io::Result<u32> {
    let mut four = [0; 4];
    bytes.read_exact(&mut four)?;
    if &four == b"PK\x07\x08" {
        bytes.read_exact(&mut four)?;
    }
    let sum = u32::from_le_bytes(four);
    let mut sizes = [0; 8];
    bytes.read_exact(&mut sizes)?;
    let [a, b, c, d, rest @ ..] = sizes;
    let agrees = unpacked.is_none_or(|unpacked| rest == (unpacked as u32).to_le_bytes());
    let is_short = [a, b, c, d] == (packed as u32).to_le_bytes() && agrees;
    if !is_short || (is_long && rest == [0; 4]) {
        bytes.read_exact(&mut sizes)?;
    }
    Ok(sum)
}

/// The sum and number of the bytes that were read.
struct Summed<R> {
    inner: R,
    sum: flate2::Crc,
    bytes: u64,
}

impl<R> Summed<R> {
    fn new(inner: R) -> Self {
        Self { inner, sum: flate2::Crc::new(), bytes: 0 }
    }

    /// Bytes and sum.
    fn result(self) -> (u64, u32) {
        (self.bytes, self.sum.sum())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.sum.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}
