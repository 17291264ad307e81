//! Reads the heads of HTTP/2 as HPACK writes them (RFC 7541), byte by byte as they come. Pure.

use std::collections::VecDeque;

use self::huffman::Code;

mod huffman;

/// Most bytes of the table of fields that were said before (RFC 9113, 6.5.2: the size until we say another, and we do not).
pub const TABLE: usize = 4096;
/// What a field counts besides its bytes, in the table (4.1) and in the size of a head (RFC 9113, 6.5.2).
pub const OVERHEAD: usize = 32;
/// Most bits that continue a number; longer ones are of no use in a head.
const LONGEST_NUMBER: u32 = 21;

/// Fields that are known from the start (Appendix A), the first at 1.
#[rustfmt::skip]
const KNOWN: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// It cannot be read, and nothing behind it either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbled;

/// A field of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number where it is known from the start, with its value; else 0.
    pub number: usize,
    /// The number of its name where that is, else 0.
    pub known: usize,
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// How long both are. Of a text that is longer than was asked for, only the beginning is there.
    pub length: usize,
}

/// A field that was said.
#[derive(Debug)]
struct Said {
    /// The number of its name, or 0; then it is in the text before the value.
    known: usize,
    name: usize,
    text: Box<[u8]>,
}

impl Said {
    fn name(&self) -> &[u8] {
        name(self.known).unwrap_or(&self.text[..self.name])
    }

    fn value(&self) -> &[u8] {
        &self.text[self.name..]
    }

    fn size(&self) -> usize {
        self.name().len() + self.value().len() + OVERHEAD
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
    /// How long a text is; whether it is in Huffman's code.
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

/// A text, as far as it is to be had.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    length: usize,
}

impl Text {
    fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
    }

    fn push(&mut self, byte: u8, most: usize) {
        self.length += 1;
        if self.bytes.len() < most {
            self.bytes.push(byte);
        }
    }
}

/// Reads the heads of a connection, in their order.
#[derive(Debug)]
pub struct Decoder {
    /// Fields that were said, the last one first.
    table: VecDeque<Said>,
    size: usize,
    /// How large it may be now.
    most: usize,
    /// How much of a text is kept.
    longest: usize,
    step: Step,
    /// The field under way: its name, or the number of that, and whether the name has ended.
    known: usize,
    name: Text,
    value: Text,
    named: bool,
    kept: bool,
    /// Whether a field of this head has begun: the size of the table may not change any more (4.2).
    begun: bool,
}

impl Decoder {
    /// One that keeps this much of the texts of fields; they may be longer.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            most: TABLE,
            longest: longest.max(TABLE),
            step: Step::Field,
            known: 0,
            name: Text::default(),
            value: Text::default(),
            named: false,
            kept: false,
            begun: false,
        }
    }

    /// A head begins, or trailers.
    pub fn begin(&mut self) {
        self.begun = false;
    }

    /// It has ended.
    ///
    /// # Errors
    ///
    /// It ends within a field.
    pub fn end(&mut self) -> Result<(), Garbled> {
        if matches!(self.step, Step::Field) { Ok(()) } else { Err(Garbled) }
    }

    /// Reads on, and gives each field that has ended.
    ///
    /// # Errors
    ///
    /// It breaks the rules of the format, whatever it says.
    pub fn read(&mut self, bytes: &[u8], mut give: impl FnMut(Field<'_>)) -> Result<(), Garbled> {
        bytes.iter().try_for_each(|byte| self.take(*byte, &mut give))
    }

    /// How large the table is, as it is counted, at most 4096.
    #[must_use]
    pub fn table_size(&self) -> usize {
        self.size
    }

    /// Holds no more memory than the table takes.
    pub fn rest(&mut self) {
        self.name = Text::default();
        self.value = Text::default();
    }

    fn take(&mut self, byte: u8, give: &mut impl FnMut(Field<'_>)) -> Result<(), Garbled> {
        match &mut self.step {
            Step::Field => match byte {
                0x80.. => self.begin_number(byte, 7, Meant::Field, give),
                0x40.. => self.begin_number(byte, 6, Meant::Name { kept: true }, give),
                0x20.. => self.begin_number(byte, 5, Meant::Size, give),
                _ => self.begin_number(byte, 4, Meant::Name { kept: false }, give),
            },
            Step::Length => self.begin_number(byte, 7, Meant::Length { huffman: byte & 0x80 != 0 }, give),
            Step::Number { meant, value, shift } => {
                *value += usize::from(byte & 0x7f) << *shift;
                if byte & 0x80 == 0 {
                    let (meant, value) = (*meant, *value);
                    self.end_number(meant, value, give)
                } else if *shift >= LONGEST_NUMBER {
                    Err(Garbled)
                } else {
                    *shift += 7;
                    Ok(())
                }
            }
            Step::Text { left, code } => {
                let (text, longest) = (if self.named { &mut self.value } else { &mut self.name }, self.longest);
                match code {
                    Some(code) => code.take(byte, |letter| text.push(letter, longest))?,
                    None => text.push(byte, longest),
                }
                *left -= 1;
                if *left > 0 {
                    Ok(())
                } else if code.as_ref().is_none_or(Code::may_end) {
                    self.end_text(give);
                    Ok(())
                } else {
                    Err(Garbled)
                }
            }
        }
    }

    /// A number whose first bits are the last ones of a byte (5.1).
    fn begin_number(
        &mut self,
        byte: u8,
        bits: u32,
        meant: Meant,
        give: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Garbled> {
        let most = u8::MAX >> (8 - bits);
        let value = usize::from(byte & most);
        if byte & most < most {
            return self.end_number(meant, value, give);
        }
        self.step = Step::Number { meant, value, shift: 0 };
        Ok(())
    }

    fn end_number(&mut self, meant: Meant, value: usize, give: &mut impl FnMut(Field<'_>)) -> Result<(), Garbled> {
        match meant {
            Meant::Field => {
                (self.begun, self.step) = (true, Step::Field);
                give(self.said(value)?);
            }
            Meant::Name { kept } => {
                (self.begun, self.kept, self.named, self.step) = (true, kept, value > 0, Step::Length);
                self.known = value;
                self.name.clear();
                if value > KNOWN.len() {
                    let said = self.table.get(value - KNOWN.len() - 1).ok_or(Garbled)?;
                    self.known = said.known;
                    let name = if said.known == 0 { said.name() } else { b"" };
                    self.name.bytes.extend_from_slice(name);
                    self.name.length = name.len();
                }
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
                if self.named {
                    self.value.clear();
                }
                self.step = Step::Text { left: value, code: huffman.then(Code::default) };
                if value == 0 {
                    self.end_text(give);
                }
            }
        }
        Ok(())
    }

    fn end_text(&mut self, give: &mut impl FnMut(Field<'_>)) {
        if !self.named {
            (self.named, self.step) = (true, Step::Length);
            return;
        }
        self.step = Step::Field;
        let name = name(self.known).unwrap_or(&self.name.bytes);
        let length = self.value.length + name.len().max(self.name.length);
        give(Field { number: 0, known: self.known, name, value: &self.value.bytes, length });
        if self.kept {
            self.forget(length + OVERHEAD);
            // What is not there whole is too large for the table.
            if length + OVERHEAD <= self.most {
                let text = [&self.name.bytes[..], &self.value.bytes].concat().into_boxed_slice();
                self.size += length + OVERHEAD;
                self.table.push_front(Said { known: self.known, name: self.name.bytes.len(), text });
            }
        }
    }

    fn said(&self, number: usize) -> Result<Field<'_>, Garbled> {
        if let Some((name, value)) = known(number) {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            return Ok(Field { number, known: number, name, value, length: name.len() + value.len() });
        }
        let said = number.checked_sub(KNOWN.len() + 1).and_then(|at| self.table.get(at)).ok_or(Garbled)?;
        let (name, value) = (said.name(), said.value());
        Ok(Field { number: 0, known: said.known, name, value, length: name.len() + value.len() })
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

/// The field with a number.
fn known(number: usize) -> Option<(&'static str, &'static str)> {
    KNOWN.get(number.checked_sub(1)?).copied()
}

/// The name with a number.
fn name(number: usize) -> Option<&'static [u8]> {
    known(number).map(|(name, _)| name.as_bytes())
}

/// Writes a field so that nothing is kept of it, its texts as they are (6.2.2).
pub fn put(out: &mut Vec<u8>, field: &Field<'_>) {
    match field.number {
        0 => {
            put_number(out, field.known, 4, 0);
            if field.known == 0 {
                put_text(out, field.name);
            }
            put_text(out, field.value);
        }
        number => put_number(out, number, 7, 0x80),
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len(), 7, 0);
    out.extend_from_slice(text);
}

/// A number in the last bits of a byte and those behind it (5.1).
#[expect(clippy::cast_possible_truncation, reason = "what is left is less")]
fn put_number(out: &mut Vec<u8>, value: usize, bits: u32, flags: u8) {
    let most = usize::from(u8::MAX >> (8 - bits));
    if value < most {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | most as u8);
    let mut left = value - most;
    while left >= 128 {
        out.push(0x80 | (left % 128) as u8);
        left /= 128;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// The fields of a head, each as `name: value`.
    fn read(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<String>, Garbled> {
        let mut fields = Vec::new();
        decoder.begin();
        decoder.read(bytes, |field| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let value = text(field.value);
            fields.push(format!("{}: {value}", text(field.name)));
        })?;
        decoder.end()?;
        Ok(fields)
    }

    fn decoder() -> Decoder {
        Decoder::new(TABLE)
    }

    fn number(value: usize, bits: u32, flags: u8) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, value, bits, flags);
        out
    }

    /// As it is, or in Huffman's code.
    fn text(text: &[u8], huffman: bool) -> Vec<u8> {
        let coded = if huffman { huffman::tests::coded(text) } else { text.to_vec() };
        [number(coded.len(), 7, if huffman { 0x80 } else { 0 }), coded].concat()
    }

    /// RFC 7541, C.3, C.4 and C.6.
    #[test]
    fn the_examples_of_the_standard_say_what_they_say_and_fill_the_table_as_it_says() {
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
        let authority = ":authority: www.example.com";
        let said = [
            vec![":method: GET", ":scheme: http", ":path: /", authority],
            vec![":method: GET", ":scheme: http", ":path: /", authority, "cache-control: no-cache"],
            vec![":method: GET", ":scheme: https", ":path: /index.html", authority, "custom-key: custom-value"],
        ];
        for examples in [plain, huffman] {
            let mut decoder = decoder();
            for ((example, size), said) in examples.into_iter().zip(&said) {
                assert_eq!(read(&mut decoder, &bytes(example)).unwrap(), *said, "{example}");
                assert_eq!(decoder.table_size(), size, "{example}");
            }
        }
        // Answers, with a table of 256 bytes, which forgets.
        let date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
        let later = "date: Mon, 21 Oct 2013 20:13:22 GMT";
        let location = "location: https://www.example.com";
        let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
        let answers = [
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 \
                 8f0b 97c8 e9ae 82ae 43d3",
                222,
                vec![":status: 302", "cache-control: private", date, location],
            ),
            ("4883 640e ffc1 c0bf", 222, vec![":status: 307", "cache-control: private", date, location]),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 \
                 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                215,
                vec![":status: 200", "cache-control: private", later, location, "content-encoding: gzip", cookie],
            ),
        ];
        let mut decoder = decoder();
        assert_eq!(read(&mut decoder, &number(256, 5, 0x20)), Ok(Vec::new()));
        for (example, size, said) in answers {
            assert_eq!(read(&mut decoder, &bytes(example)).unwrap(), said, "{example}");
            assert_eq!(decoder.table_size(), size, "{example}");
        }
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
            ("filling of zeros", vec![0x44, 0x81, 0x18]),
            ("filling of a whole byte", vec![0x44, 0x82, 0x1f, 0xff]),
            ("the mark of the end", vec![0x44, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(read(&mut decoder(), &odd), Err(Garbled), "{what}");
        }
    }

    #[test]
    fn of_a_long_text_there_is_the_beginning_and_its_length() {
        let mut decoder = Decoder::new(5000);
        let mut seen = Vec::new();
        let field = [vec![0x44], text(&[b'x'; 9000], false)].concat();
        decoder.read(&field, |field| seen.push((field.value.len(), field.length))).unwrap();
        assert_eq!((seen, decoder.table_size()), (vec![(5000, 9005)], 0));
        assert_eq!(read(&mut decoder, &[0xbe]), Err(Garbled), "it is in no table");
    }

    proptest! {
        /// In whatever way heads are written and cut, they say the same, and what is written of them anew does too.
        #[test]
        fn a_head_is_read_alike_however_it_is_written(
            fields in prop::collection::vec((0_usize..4, prop::collection::vec(any::<u8>(), 0..300), any::<[bool; 3]>()), 1..20),
            cuts in 1_usize..50,
        ) {
            let (mut whole, mut pieces, mut anew) = (decoder(), decoder(), decoder());
            for (name, value, [kept, named, huffman]) in fields {
                let (known, name): (usize, &[u8]) = [(4, &b":path"[..]), (58, b"user-agent"), (0, b":paths"), (0, b"x")][name];
                let (flags, bits) = if kept { (0x40, 6) } else { (0, 4) };
                let named = if named && known > 0 { number(known, bits, flags) } else { [vec![flags], text(name, huffman)].concat() };
                let field = [named, text(&value, huffman)].concat();
                let expected = vec![format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(&value))];
                let before = whole.table_size();
                prop_assert_eq!(read(&mut whole, &field), Ok(expected.clone()));
                prop_assert!(whole.table_size() <= TABLE && (kept || whole.table_size() == before));
                let (mut again, mut seen) = (Vec::new(), 0);
                pieces.begin();
                let give = |field: Field<'_>| {
                    seen = field.length;
                    put(&mut again, &field);
                };
                let mut give = give;
                prop_assert!(field.chunks(cuts).all(|piece| pieces.read(piece, &mut give).is_ok()));
                prop_assert_eq!((pieces.end(), seen), (Ok(()), name.len() + value.len()));
                prop_assert_eq!(read(&mut anew, &again), Ok(expected.clone()));
                if kept {
                    prop_assert_eq!(read(&mut whole, &[0xbe]), Ok(expected));
                }
            }
            prop_assert_eq!((whole.table_size(), anew.table_size()), (pieces.table_size(), 0));
        }
    }
}
