//! Huffman's code for texts in heads (RFC 7541, 5.2 and Appendix B).

use super::Garbled;

/// A letter under way.
#[derive(Debug, Default)]
pub(super) struct Code {
    bits: u32,
    length: usize,
}

impl Code {
    /// Reads a byte, and says which letters end in it.
    pub(super) fn take(&mut self, byte: u8, mut letter: impl FnMut(u8)) -> Result<(), Garbled> {
        for place in (0..8).rev() {
            self.bits = self.bits << 1 | u32::from(byte >> place & 1);
            self.length += 1;
            let Some(of_length) = LETTERS.of_length.get(self.length) else { return Err(Garbled) };
            if let Some(at) = self.bits.checked_sub(of_length.first)
                && at < of_length.count
            {
                // The last of all is the mark of the end, which may not come (5.2).
                letter(*LETTERS.by_code.get(of_length.before + at as usize).ok_or(Garbled)?);
                *self = Self::default();
            }
        }
        Ok(())
    }

    /// Whether what is left over is filling: the beginning of the mark of the end, and less than a byte (5.2).
    pub(super) fn may_end(&self) -> bool {
        self.length < 8 && self.bits == (1 << self.length) - 1
    }
}

/// Letters of one length of codes, which are numbers one behind the other.
#[derive(Clone, Copy)]
struct OfLength {
    first: u32,
    count: u32,
    /// How many letters have shorter codes.
    before: usize,
}

struct Letters {
    of_length: [OfLength; LONGEST_CODE + 1],
    /// All letters, by their codes.
    by_code: [u8; 256],
}

const LONGEST_CODE: usize = 30;

/// How long each letter's code is. The rest follows: letters of one length are in their order, and the next length begins
/// where they end.
#[rustfmt::skip]
const CODE_LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

static LETTERS: Letters = letters();

const fn letters() -> Letters {
    let mut all =
        Letters { of_length: [OfLength { first: 0, count: 0, before: 0 }; LONGEST_CODE + 1], by_code: [0; 256] };
    let (mut next, mut before, mut length) = (0, 0, 1);
    while length <= LONGEST_CODE {
        let (first, mut count, mut letter) = (next, 0, 0);
        while letter < CODE_LENGTHS.len() {
            if CODE_LENGTHS[letter] as usize == length {
                #[expect(clippy::cast_possible_truncation, reason = "there are 256")]
                let byte = letter as u8;
                all.by_code[before + count as usize] = byte;
                count += 1;
            }
            letter += 1;
        }
        // The mark of the end is the last code of all.
        let codes = if length == LONGEST_CODE { count + 1 } else { count };
        all.of_length[length] = OfLength { first, count: codes, before };
        next = (first + codes) << 1;
        before += count as usize;
        length += 1;
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A text in the code, filled up.
    pub(in super::super) fn coded(text: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for letter in text {
            let at = LETTERS.by_code.iter().position(|other| other == letter).unwrap();
            let length = usize::from(CODE_LENGTHS[usize::from(*letter)]);
            let of_length = LETTERS.of_length[length];
            bits += &format!("{:0length$b}", of_length.first as usize + at - of_length.before);
        }
        bits += &"1".repeat((8 - bits.len() % 8) % 8);
        (0..bits.len() / 8).map(|at| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).unwrap()).collect()
    }

    #[test]
    fn every_letter_is_read_back_and_the_codes_are_those_of_the_standard() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let (mut code, mut read) = (Code::default(), Vec::new());
        for byte in coded(&all) {
            code.take(byte, |letter| read.push(letter)).unwrap();
        }
        assert!(read == all && code.may_end());
        // The first, the last and some between (Appendix B).
        for (letter, bits) in [(b'0', "00000"), (b'a', "00011"), (b'#', "111111111010"), (b'~', "1111111111101")] {
            let filled = format!("{bits}{}", "1".repeat((8 - bits.len() % 8) % 8));
            let bytes: Vec<u8> =
                (0..filled.len() / 8).map(|at| u8::from_str_radix(&filled[8 * at..8 * at + 8], 2).unwrap()).collect();
            assert_eq!(coded(&[letter]), bytes, "{letter}");
        }
        assert_eq!(coded(&[22]), [0xff, 0xff, 0xff, 0xfb], "the last but the mark of the end");
    }
}
