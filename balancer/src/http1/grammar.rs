//! Which bytes may stand where (RFC 9110, 5.5 and 5.6.2; RFC 3986, 2 and 3.3).

const TOKEN: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;
const NAME: u8 = 8;
const LENIENT_QUERY: u8 = 16;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let one = byte as u8;
        let mut class = 0;
        if one.is_ascii_alphanumeric() || is_in(one, b"!#$%&'*+-.^_`|~") {
            class |= TOKEN;
        }
        let unreserved = one.is_ascii_alphanumeric() || is_in(one, b"-._~");
        if unreserved {
            class |= NAME;
        }
        if unreserved || is_in(one, b"!$&'()*+,;=:@/") {
            class |= PATH | QUERY;
        }
        if one == b'?' {
            class |= QUERY;
        }
        if class & QUERY != 0 || is_in(one, b"[]{}|^`\\") {
            class |= LENIENT_QUERY;
        }
        classes[byte] = class;
        byte += 1;
    }
    classes
}

const fn is_in(byte: u8, list: &[u8]) -> bool {
    let mut place = 0;
    while place < list.len() {
        if list[place] == byte {
            return true;
        }
        place += 1;
    }
    false
}

fn has(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// A byte of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    has(byte, TOKEN)
}

/// A token: a method, the name of a field, an option.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// What may be in the value of a field, in a reason or between quotes: visible characters, blanks, tabs, and bytes
/// beyond ASCII. No other control character, so no line end.
pub(super) fn is_text(text: &[u8]) -> bool {
    let last = text.last_chunk().copied().unwrap_or_else(|| {
        let mut short = [b' '; 8];
        short[..text.len()].copy_from_slice(text);
        short
    });
    let (words, _) = text.as_chunks();
    let is_plain = words.iter().chain([&last]).all(|word| is_plain(u64::from_ne_bytes(*word)));
    is_plain || !text.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
}

/// Whether no byte of these eight is a control character, tabs included.
fn is_plain(word: u64) -> bool {
    const EACH: u64 = u64::MAX / 255;
    // The highest bit of a byte is set where that is less than a number, if it is the first that is (Bit Twiddling Hacks,
    // "Determine if a word has a byte less than n").
    let less = |word: u64, than: u8| word.wrapping_sub(EACH * u64::from(than)) & !word;
    (less(word, b' ') | less(word ^ (EACH * 0x7f), 1)) & (EACH * 0x80) == 0
}

/// `path-abempty`, with whole percent signs.
pub(super) fn is_path(text: &[u8]) -> bool {
    is_encoded(text, PATH)
}

/// `query`.
pub(super) fn is_query(text: &[u8]) -> bool {
    is_encoded(text, QUERY)
}

/// `query`, and what the query percent-encode set of the URL standard (WHATWG), so a browser, leaves as it is besides.
pub(super) fn is_lenient_query(text: &[u8]) -> bool {
    is_encoded(text, LENIENT_QUERY)
}

/// A registered name or an IPv4 address. The grammar would allow `!$&'()*+,;=` and `%61` too; no name in use has them, `a,b` is
/// how two hosts look that somebody has joined, and who decodes takes `%61` for another host than who does not.
pub(super) fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| has(byte, NAME))
}

fn is_encoded(text: &[u8], class: u8) -> bool {
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (byte, after) if has(*byte, class) => after,
            _ => return false,
        };
    }
    true
}

/// Without blanks and tabs at both ends.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let (start, length) = inner(text);
    &text[start..start + length]
}

/// Where that begins, and its length.
pub(super) fn inner(text: &[u8]) -> (usize, usize) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    (start, text[start..].iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_where_the_standard_puts_it() {
        let token: Vec<u8> = (0..=255).filter(|&byte| is_token(&[byte])).collect();
        assert_eq!(token, b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
        let text = (0..=255).filter(|&byte| !is_text(&[byte])).collect::<Vec<u8>>();
        let controls: Vec<u8> = (0..32).filter(|byte| *byte != 9).chain([127]).collect();
        assert_eq!(text, controls);
        for length in 1..20 {
            for place in 0..length {
                let mut long = vec![b'\xff'; length];
                for byte in 0..=255 {
                    long[place] = byte;
                    assert_eq!(is_text(&long), !controls.contains(&byte), "{long:?}");
                }
            }
        }
        let query: Vec<u8> = (0..=255).filter(|&byte| is_query(&[byte])).collect();
        assert_eq!(query, b"!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
    }

    #[test]
    fn a_percent_sign_needs_its_two_digits() {
        assert!(is_path(b"/%2f%C3%a4"));
        for odd in [&b"/%"[..], b"/%2", b"/%2g", b"/%%20"] {
            assert!(!is_path(odd));
        }
    }
}
