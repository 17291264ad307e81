//! Reads the heads of HTTP/2 as HPACK writes them (RFC 7541), byte by byte as they come, and keeps no more of them than it takes
//! to find what the `h2` crate leaves out without a word: a fragment of `:path`, and pseudo-fields among trailers. Pure.

use std::collections::VecDeque;

use self::huffman::Code;

mod huffman;

/// Most bytes of the table of fields that were said before (RFC 9113, 6.5.2: the size until we say another, and we do not).
const TABLE: usize = 4096;
/// What a field counts in it besides its bytes (4.1).
const OVERHEAD: usize = 32;
/// Most bits that continue a number; longer ones are of no use in a head.
const LONGEST_NUMBER: u32 = 21;

/// Names of fields that are known from the start (Appendix A), the first at 1.
const KNOWN: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

/// It cannot be read, and nothing behind it either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbled;

/// Why a head is malformed that `h2` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The path of the request has one (RFC 9113, 8.3.1).
    Fragment,
    /// There is a pseudo-field among trailers (8.1).
    PseudoTrailer,
}

impl Oddity {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fragment => "the path of the request has a fragment",
            Self::PseudoTrailer => "there is a pseudo-field among the trailers",
        }
    }
}

/// What is kept of a name or a value.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    length: usize,
    /// Whether it begins with a colon.
    is_pseudo: bool,
    /// Whether it is `:path`, as far as it goes.
    is_path: bool,
    has_fragment: bool,
}

impl Text {
    fn of(text: &str) -> Self {
        let mut all = Self::default();
        text.bytes().for_each(|byte| all.push(byte));
        all
    }

    fn push(&mut self, byte: u8) {
        const PATH: &[u8] = b":path";
        if self.length == 0 {
            (self.is_pseudo, self.is_path) = (byte == b':', true);
        }
        self.is_path &= PATH.get(self.length) == Some(&byte);
        self.has_fragment |= byte == b'#';
        self.length += 1;
    }

    fn is_path(self) -> bool {
        self.is_path && self.length == 5
    }
}

/// A field that was said.
#[derive(Debug, Clone, Copy)]
struct Said {
    name: Text,
    value: Text,
}

impl Said {
    fn size(self) -> usize {
        self.name.length + self.value.length + OVERHEAD
    }
}

/// What a number is for.
#[derive(Debug, Clone, Copy)]
enum Meant {
    /// A field that is known.
    Field,
    /// A name that is known, or 0; whether the field is to be kept.
    Name { kept: bool },
    /// The new size of the table.
    Size,
    /// How long a text is; whether it is in Huffman's code, and the name of a field that is to follow it.
    Length { huffman: bool },
}

/// What comes next.
#[derive(Debug)]
enum Step {
    Field,
    Number {
        meant: Meant,
        value: usize,
        shift: u32,
    },
    /// The length of a text.
    Length,
    Text {
        left: usize,
        code: Option<Code>,
    },
}

/// Heads of a connection, in their order.
#[derive(Debug)]
pub struct Heads {
    /// Fields that were said, the last one first.
    table: VecDeque<Said>,
    size: usize,
    most: usize,
    step: Step,
    /// The name of the field under way, once it has ended.
    name: Option<Text>,
    /// The text under way.
    text: Text,
    kept: bool,
    /// Whether a field of this head has begun: the size of the table may not change any more (4.2).
    begun: bool,
    is_trailer: bool,
    odd: Option<Oddity>,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            most: TABLE,
            step: Step::Field,
            name: None,
            text: Text::default(),
            kept: false,
            begun: false,
            is_trailer: false,
            odd: None,
        }
    }
}

impl Heads {
    /// A head begins, or trailers.
    pub fn begin(&mut self, is_trailer: bool) {
        (self.begun, self.is_trailer, self.odd) = (false, is_trailer, None);
    }

    /// It has ended; says what is odd about it.
    ///
    /// # Errors
    ///
    /// It ends within a field.
    pub fn end(&mut self) -> Result<Option<Oddity>, Garbled> {
        if matches!(self.step, Step::Field) { Ok(self.odd.take()) } else { Err(Garbled) }
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// It breaks the rules of the format, whatever it says.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        bytes.iter().try_for_each(|byte| self.take(*byte))
    }

    /// How large the table is, as it is counted, at most 4096.
    #[must_use]
    pub fn table_size(&self) -> usize {
        self.size
    }

    fn take(&mut self, byte: u8) -> Result<(), Garbled> {
        match &mut self.step {
            Step::Field => match byte {
                0x80.. => self.begin_number(byte, 7, Meant::Field),
                0x40.. => self.begin_number(byte, 6, Meant::Name { kept: true }),
                0x20.. => self.begin_number(byte, 5, Meant::Size),
                _ => self.begin_number(byte, 4, Meant::Name { kept: false }),
            },
            Step::Length => self.begin_number(byte, 7, Meant::Length { huffman: byte & 0x80 != 0 }),
            Step::Number { meant, value, shift } => {
                *value += usize::from(byte & 0x7f) << *shift;
                if byte & 0x80 == 0 {
                    let (meant, value) = (*meant, *value);
                    self.end_number(meant, value)
                } else if *shift >= LONGEST_NUMBER {
                    Err(Garbled)
                } else {
                    *shift += 7;
                    Ok(())
                }
            }
            Step::Text { left, code } => {
                match code {
                    Some(code) => code.take(byte, |letter| self.text.push(letter))?,
                    None => self.text.push(byte),
                }
                *left -= 1;
                if *left > 0 {
                    Ok(())
                } else if code.as_ref().is_none_or(Code::may_end) {
                    self.end_text();
                    Ok(())
                } else {
                    Err(Garbled)
                }
            }
        }
    }

    /// A number whose first bits are the last ones of a byte (5.1).
    fn begin_number(&mut self, byte: u8, bits: u32, meant: Meant) -> Result<(), Garbled> {
        let most = u8::MAX >> (8 - bits);
        let value = usize::from(byte & most);
        if byte & most < most {
            return self.end_number(meant, value);
        }
        self.step = Step::Number { meant, value, shift: 0 };
        Ok(())
    }

    fn end_number(&mut self, meant: Meant, value: usize) -> Result<(), Garbled> {
        match meant {
            Meant::Field => {
                let said = self.said(value)?;
                self.end_field(said);
            }
            Meant::Name { kept } => {
                (self.begun, self.kept) = (true, kept);
                self.name = if value == 0 { None } else { Some(self.said(value)?.name) };
                self.step = Step::Length;
            }
            Meant::Size => {
                if self.begun || value > TABLE {
                    return Err(Garbled);
                }
                self.most = value;
                self.forget(0);
                self.step = Step::Field;
            }
            Meant::Length { huffman } => {
                self.text = Text::default();
                self.step = Step::Text { left: value, code: huffman.then(Code::default) };
                if value == 0 {
                    self.end_text();
                }
            }
        }
        Ok(())
    }

    fn end_text(&mut self) {
        match self.name.take() {
            None => (self.name, self.step) = (Some(self.text), Step::Length),
            Some(name) => {
                let said = Said { name, value: self.text };
                if self.kept {
                    self.forget(said.size());
                    if said.size() <= self.most {
                        self.size += said.size();
                        self.table.push_front(said);
                    }
                }
                self.end_field(said);
            }
        }
    }

    fn end_field(&mut self, said: Said) {
        (self.begun, self.step) = (true, Step::Field);
        if self.is_trailer && said.name.is_pseudo {
            self.odd = Some(Oddity::PseudoTrailer);
        } else if said.name.is_path() && said.value.has_fragment {
            self.odd = Some(Oddity::Fragment);
        }
    }

    fn said(&self, number: usize) -> Result<Said, Garbled> {
        match number.checked_sub(1).map(|at| (KNOWN.get(at), at)) {
            None => Err(Garbled),
            // None of their values is odd.
            Some((Some(name), _)) => Ok(Said { name: Text::of(name), value: Text::default() }),
            Some((None, at)) => self.table.get(at - KNOWN.len()).copied().ok_or(Garbled),
        }
    }

    /// Forgets what was said first, until there is room (4.4).
    fn forget(&mut self, room: usize) {
        while self.size + room > self.most
            && let Some(said) = self.table.pop_back()
        {
            self.size -= said.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn read(heads: &mut Heads, bytes: &[u8], is_trailer: bool) -> Result<Option<Oddity>, Garbled> {
        heads.begin(is_trailer);
        heads.read(bytes)?;
        heads.end()
    }

    fn number(value: usize, bits: u32, flags: u8) -> Vec<u8> {
        let most = usize::from(u8::MAX >> (8 - bits));
        if value < most {
            return vec![flags | u8::try_from(value).unwrap()];
        }
        let (mut out, mut left) = (vec![flags | u8::try_from(most).unwrap()], value - most);
        while left >= 128 {
            out.push(0x80 | u8::try_from(left % 128).unwrap());
            left /= 128;
        }
        out.push(u8::try_from(left).unwrap());
        out
    }

    /// As it is, or in Huffman's code.
    fn text(text: &[u8], huffman: bool) -> Vec<u8> {
        let coded = if huffman { huffman::tests::coded(text) } else { text.to_vec() };
        [number(coded.len(), 7, if huffman { 0x80 } else { 0 }), coded].concat()
    }

    /// RFC 7541, C.3, C.4 and C.6: the table is as large as it says.
    #[test]
    fn the_examples_of_the_standard_fill_the_table_as_it_says() {
        let plain = [
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", 57),
            ("8286 84be 5808 6e6f 2d63 6163 6865", 110),
            ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", 164),
        ];
        let huffman = [
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", 57),
            ("8286 84be 5886 a8eb 1064 9cbf", 110),
            ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", 164),
        ];
        for examples in [plain, huffman] {
            let mut heads = Heads::default();
            for (example, size) in examples {
                assert_eq!(read(&mut heads, &bytes(example), false), Ok(None), "{example}");
                assert_eq!(heads.table_size(), size, "{example}");
            }
        }
        // Answers, with a table of 256 bytes, which forgets.
        let answers = [
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 \
                 8f0b 97c8 e9ae 82ae 43d3",
                222,
            ),
            ("4883 640e ffc1 c0bf", 222),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 \
                 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                215,
            ),
        ];
        let mut heads = Heads::default();
        assert_eq!(read(&mut heads, &number(256, 5, 0x20), false), Ok(None));
        for (example, size) in answers {
            assert_eq!(read(&mut heads, &bytes(example), false), Ok(None), "{example}");
            assert_eq!(heads.table_size(), size, "{example}");
        }
    }

    #[test]
    fn a_fragment_is_found_in_every_way_it_can_be_written() {
        for huffman in [false, true] {
            for (flags, bits) in [(0x40, 6), (0, 4), (0x10, 4)] {
                for name in [number(4, bits, flags), [vec![flags], text(b":path", huffman)].concat()] {
                    let mut heads = Heads::default();
                    let field = [name, text(b"/a#b", huffman)].concat();
                    assert_eq!(read(&mut heads, &field, false), Ok(Some(Oddity::Fragment)));
                    assert_eq!(read(&mut heads, &[0x84], false), Ok(None), "the next head is another");
                    // Kept, it can be said again by its number.
                    let again = read(&mut heads, &[0xbe], false);
                    assert_eq!(again, if flags == 0x40 { Ok(Some(Oddity::Fragment)) } else { Err(Garbled) });
                }
            }
            let other = [vec![0x40], text(b":pathx", huffman), text(b"/a#b", huffman)].concat();
            assert_eq!(read(&mut Heads::default(), &other, false), Ok(None));
        }
    }

    #[test]
    fn pseudo_fields_are_odd_among_trailers_only() {
        for field in [vec![0x82], [vec![0x40], text(b":path", true), text(b"/", true)].concat(), vec![0x48, 0]] {
            assert_eq!(read(&mut Heads::default(), &field, false), Ok(None));
            assert_eq!(read(&mut Heads::default(), &field, true), Ok(Some(Oddity::PseudoTrailer)));
        }
        assert_eq!(
            read(&mut Heads::default(), &[vec![0x40], text(b"x", true), text(b"#:path", true)].concat(), true),
            Ok(None)
        );
    }

    #[test]
    fn what_breaks_the_rules_is_garbled() {
        for (what, odd) in [
            ("field zero", vec![0x80]),
            ("a field of no table", vec![0xbe]),
            ("a name of no table", vec![0x7e, 0, 0]),
            ("half a number", vec![0xff, 0x80]),
            ("a number without end", vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            ("half a text", vec![0x40, 5, b'a']),
            ("a name without a value", vec![0x44]),
            ("a table that is too large", number(4097, 5, 0x20)),
            ("a table that changes in the middle", vec![0x82, 0x20]),
            ("filling of zeros", vec![0x44, 0x81, 0x18 & 0xf8]),
            ("filling of a whole byte", vec![0x44, 0x82, 0x1f, 0xff]),
            ("the mark of the end", vec![0x44, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(read(&mut Heads::default(), &odd, false), Err(Garbled), "{what}");
        }
    }

    proptest! {
        /// Whatever comes before it, a fragment is found where it is and nowhere else, and the table keeps its bounds.
        #[test]
        fn a_head_is_read_alike_however_it_is_written(
            fields in prop::collection::vec((0_usize..4, prop::collection::vec(any::<u8>(), 0..300), any::<[bool; 3]>()), 1..20),
            cuts in 1_usize..50,
        ) {
            let (mut whole, mut pieces) = (Heads::default(), Heads::default());
            for (name, value, [kept, named, huffman]) in fields {
                let (known, name): (usize, &[u8]) = [(4, &b":path"[..]), (58, b"user-agent"), (0, b":paths"), (0, b"x")][name];
                let (flags, bits) = if kept { (0x40, 6) } else { (0, 4) };
                let named = if named && known > 0 { number(known, bits, flags) } else { [vec![flags], text(name, huffman)].concat() };
                let field = [named, text(&value, huffman)].concat();
                let expected = (name == b":path" && value.contains(&b'#')).then_some(Oddity::Fragment);
                let (before, size) = (whole.table_size(), name.len() + value.len() + OVERHEAD);
                prop_assert_eq!(read(&mut whole, &field, false), Ok(expected));
                prop_assert!(whole.table_size() <= TABLE && (kept || whole.table_size() == before));
                prop_assert!(!kept || whole.table_size() >= size);
                pieces.begin(false);
                prop_assert!(field.chunks(cuts).all(|piece| pieces.read(piece).is_ok()));
                prop_assert_eq!(pieces.end(), Ok(expected));
                if kept {
                    prop_assert_eq!(read(&mut whole, &[0xbe], false), Ok(expected));
                }
            }
            prop_assert_eq!(whole.table_size(), pieces.table_size());
        }
    }
}
