//! The chunks of a body (RFC 9112, 7.1), read as their bytes arrive, and written.

use super::{Refusal, Span, fields, grammar};

/// Most hex digits of a chunk's size, leading zeros counted.
const LONGEST_SIZE: usize = 16;
/// Most bytes of extensions, over all chunks of a body: nobody uses them but to keep others busy.
pub const MOST_EXTENSIONS: usize = 4096;
/// Most bytes of trailers.
pub const MOST_TRAILERS: usize = 8192;

const BAD_SIZE: Refusal = Refusal::Bad("the size of a chunk is not valid");
const BAD_EXTENSION: Refusal = Refusal::Bad("the extension of a chunk is not valid");
const BAD_END: Refusal = Refusal::Bad("a chunk does not end where its size says");

/// What comes next in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Data, in this piece of the bytes.
    Data(Span),
    /// Nothing before more bytes have come.
    More,
    /// The body has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size {
        digits: usize,
    },
    /// Behind a `;`, so many bytes into the name.
    Name {
        length: usize,
    },
    /// Behind a `=`.
    Value {
        length: usize,
    },
    Quoted {
        escaped: bool,
    },
    /// Behind the second quote.
    Unquoted,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
}

/// Reads a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    place: Place,
    left: u64,
    extensions: usize,
    /// Bytes of trailers that came, also of those that do not go on.
    trailed: usize,
    trailers: Vec<u8>,
    /// How many more of them may come.
    fields_left: usize,
    /// Where the trailer line begins that is being read.
    line: usize,
    /// What the head's `Connection` names.
    named: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::leaving_out(Vec::new(), usize::MAX)
    }
}

impl Decoder {
    /// Leaves out of the trailers what the head's `Connection` [names](fields::named), besides what may be in none; takes at
    /// most so many of them.
    #[must_use]
    pub fn leaving_out(named: Vec<u8>, most_trailers: usize) -> Self {
        let (place, trailers) = (Place::Size { digits: 0 }, Vec::new());
        Self { place, left: 0, extensions: 0, trailed: 0, trailers, fields_left: most_trailers, line: 0, named }
    }

    /// Reads on from `at`, and moves it to where it has read to.
    ///
    /// # Errors
    ///
    /// The body is broken; there is no telling where it ends.
    pub fn next(&mut self, bytes: &[u8], at: &mut usize) -> Result<Part, Refusal> {
        while *at < bytes.len() {
            if self.place == Place::Data {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - *at);
                let data = Span { start: *at, end: *at + length };
                *at = data.end;
                self.left -= length as u64;
                if self.left == 0 {
                    self.place = Place::DataCr;
                }
                return Ok(Part::Data(data));
            }
            if self.place == Place::End {
                return Ok(Part::End);
            }
            self.place = self.step(bytes[*at])?;
            *at += 1;
        }
        Ok(if self.place == Place::End { Part::End } else { Part::More })
    }

    /// What the chunk that is being read still owes of its data, as its size says.
    #[must_use]
    pub fn owed(&self) -> u64 {
        if self.place == Place::Data { self.left } else { 0 }
    }

    /// The trailers that go on, whole lines each with its end; complete once the body has ended.
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Takes the marks of chunks out of `bytes[from..to]`, moving the data together; says where the data is, how far it
    /// has read, and whether the body has ended.
    ///
    /// # Errors
    ///
    /// The body is broken.
    pub fn unwrap(&mut self, bytes: &mut [u8], from: usize, to: usize) -> Result<(Span, usize, bool), Refusal> {
        let (mut at, mut data) = (from, Span { start: from, end: from });
        loop {
            match self.next(&bytes[..to], &mut at)? {
                Part::Data(piece) if data.is_empty() => data = piece,
                Part::Data(piece) => {
                    bytes.copy_within(piece.start..piece.end, data.end);
                    data.end += piece.len();
                }
                Part::More => return Ok((data, at, false)),
                Part::End => return Ok((data, at, true)),
            }
        }
    }

    fn step(&mut self, byte: u8) -> Result<Place, Refusal> {
        match self.place {
            Place::Size { digits } => self.size(byte, digits),
            Place::Name { .. } | Place::Value { .. } | Place::Quoted { .. } | Place::Unquoted => self.extension(byte),
            Place::SizeEnd if byte == b'\n' && self.left == 0 => Ok(Place::Trailers),
            Place::SizeEnd if byte == b'\n' => Ok(Place::Data),
            Place::SizeEnd => Err(BAD_SIZE),
            Place::DataCr if byte == b'\r' => Ok(Place::DataLf),
            Place::DataLf if byte == b'\n' => Ok(Place::Size { digits: 0 }),
            Place::DataCr | Place::DataLf => Err(BAD_END),
            Place::Trailers => self.trailer(byte),
            Place::Data | Place::End => unreachable!("looked at before"),
        }
    }

    fn size(&mut self, byte: u8, digits: usize) -> Result<Place, Refusal> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if digits < LONGEST_SIZE && self.left >> 59 == 0 => {
                self.left = self.left << 4 | u64::from(digit);
                Ok(Place::Size { digits: digits + 1 })
            }
            (None, b'\r') if digits > 0 => Ok(Place::SizeEnd),
            (None, b';') if digits > 0 => Ok(Place::Name { length: 0 }),
            _ => Err(BAD_SIZE),
        }
    }

    /// `*( ";" name [ "=" ( token / quoted-string ) ] )`. Blanks around `;` and `=`, which the standard calls bad and
    /// forbids to write, are refused.
    fn extension(&mut self, byte: u8) -> Result<Place, Refusal> {
        self.extensions += 1;
        if self.extensions > MOST_EXTENSIONS {
            return Err(Refusal::Bad("the extensions of the chunks are too long"));
        }
        match (self.place, byte) {
            (Place::Name { length }, byte) if grammar::is_token_byte(byte) => Ok(Place::Name { length: length + 1 }),
            (Place::Name { length: 1.. }, b'=') => Ok(Place::Value { length: 0 }),
            (Place::Value { length: 0 }, b'"') => Ok(Place::Quoted { escaped: false }),
            (Place::Value { length }, byte) if grammar::is_token_byte(byte) => Ok(Place::Value { length: length + 1 }),
            (Place::Quoted { escaped: false }, b'"') => Ok(Place::Unquoted),
            (Place::Quoted { escaped: false }, b'\\') => Ok(Place::Quoted { escaped: true }),
            (Place::Quoted { .. }, byte) if grammar::is_text(&[byte]) => Ok(Place::Quoted { escaped: false }),
            (Place::Name { length: 1.. } | Place::Value { length: 1.. } | Place::Unquoted, b';') => {
                Ok(Place::Name { length: 0 })
            }
            (Place::Name { length: 1.. } | Place::Value { length: 1.. } | Place::Unquoted, b'\r') => Ok(Place::SizeEnd),
            _ => Err(BAD_EXTENSION),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<Place, Refusal> {
        self.trailers.push(byte);
        self.trailed += 1;
        if self.trailed > MOST_TRAILERS {
            return Err(Refusal::TrailersTooLarge);
        }
        let line = &self.trailers[self.line..];
        if byte != b'\n' {
            // Nobody waits for the end of a line that cannot be one.
            let odd = line.len() > 1 && line[line.len() - 2] == b'\r' || !(grammar::is_text(&[byte]) || byte == b'\r');
            return if odd {
                Err(Refusal::Bad("there is a control character in the trailers"))
            } else {
                Ok(Place::Trailers)
            };
        }
        let goes_on = fields::check_trailer(line, &self.named)?;
        if line == b"\r\n" {
            self.trailers.truncate(self.line);
            return Ok(Place::End);
        }
        self.fields_left = self.fields_left.checked_sub(1).ok_or(Refusal::TooManyTrailers)?;
        if !goes_on {
            self.trailers.truncate(self.line);
        }
        self.line = self.trailers.len();
        Ok(Place::Trailers)
    }
}

/// The mark before a chunk of this size.
#[must_use]
pub fn mark(size: usize) -> Mark {
    let mut mark = Mark { text: [0; 18], start: 16 };
    mark.text[16..].copy_from_slice(b"\r\n");
    let mut left = size;
    loop {
        mark.start -= 1;
        mark.text[mark.start] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 {
            return mark;
        }
    }
}

/// The mark before a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    text: [u8; 18],
    start: usize,
}

impl Mark {
    /// As it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }
}
