//! The PROXY protocol, versions 1 and 2 of haproxy's text: who the client of a proxy before us is, told once before anything
//! else. What is none, or more than it may be, ends the connection.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// Longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// Bytes after which the two versions can be told apart; both are longer.
const FIRST: usize = 12;
/// Longest header of version 2 that is taken, from its signature on; what goes beyond the addresses is checked for its form and not used.
pub(crate) const LONGEST: usize = 2048;
const SIGNATURE: &[u8; FIRST] = b"\r\n\r\n\0\r\nQUIT\n";

/// Why nobody was introduced.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It has closed without a word, as those do who only look whether somebody listens.
    #[error("it has said nothing")]
    Silent,
    /// It has said something else.
    #[error("{0}")]
    Header(&'static str),
    /// The connection is gone, or time is up.
    #[error("no PROXY header has come: {0}")]
    Broken(#[from] io::Error),
}

const CUT: Trouble = Trouble::Header("its PROXY header ends too early");

/// Reads the header, and not a byte beyond it. `None` inside: the proxy speaks for nobody it knows, or for itself.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Option<IpAddr>, Trouble> {
    let mut head = [0; LONGEST];
    match stream.read(&mut head[..FIRST]).await? {
        0 => return Err(Trouble::Silent),
        begun => fill(stream, &mut head[begun..FIRST]).await?,
    }
    if head[..FIRST] == *SIGNATURE {
        fill(stream, &mut head[FIRST..FIRST + 4]).await?;
        let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
        let body = head.get_mut(16..16 + length);
        fill(stream, body.ok_or(Trouble::Header("its PROXY header is longer than 2048 bytes"))?).await?;
        let told = second(head[12], head[13], &head[16..16 + length]);
        told.ok_or(Trouble::Header("its PROXY header of version 2 is not valid"))
    } else if head.starts_with(b"PROXY ") {
        let length = read_line(stream, &mut head[..LONGEST_LINE]).await?;
        first(&head[..length]).ok_or(Trouble::Header("its PROXY header of version 1 is not valid"))
    } else {
        Err(Trouble::Header("it does not begin with a PROXY header"))
    }
}

async fn fill(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<(), Trouble> {
    match stream.read_exact(bytes).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(CUT),
        read => Ok(read.map(drop)?),
    }
}

/// Reads on to the end of the line; says how long it is.
async fn read_line(stream: &mut TcpStream, line: &mut [u8]) -> Result<usize, Trouble> {
    let mut filled = FIRST;
    while filled < line.len() {
        // What comes after it is somebody else's, so it is looked at before it is taken.
        let seen = stream.peek(&mut line[filled..]).await?;
        if seen == 0 {
            return Err(CUT);
        }
        let end = line[filled..filled + seen].iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(seen, |end| end + 1);
        stream.read_exact(&mut line[filled..filled + taken]).await?;
        filled += taken;
        if end.is_some() {
            return Ok(filled);
        }
    }
    Err(Trouble::Header("its PROXY header is longer than 107 bytes"))
}

/// Version 1, one line. The outer `None`: it is none.
fn first(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?.strip_prefix("PROXY ")?;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [family, source, target, from, to] = words[..] else { return None };
    let is_port = |text: &str| {
        let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        plain && text.parse::<u16>().is_ok()
    };
    if !is_port(from) || !is_port(to) {
        return None;
    }
    match family {
        "TCP4" => target.parse::<Ipv4Addr>().and(source.parse::<Ipv4Addr>()).ok().map(|four| Some(four.into())),
        "TCP6" => target.parse::<Ipv6Addr>().and(source.parse::<Ipv6Addr>()).ok().map(|six| Some(six.into())),
        _ => None,
    }
}

/// Version 2, after its signature and length.
fn second(version: u8, family: u8, body: &[u8]) -> Option<Option<IpAddr>> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    if version == LOCAL {
        // The rest is to be passed over, whatever it is.
        return Some(None);
    }
    if version != PROXY {
        return None;
    }
    let (length, told) = match family {
        // Of no family that is told, or one over unix sockets.
        0x00 => return Some(None),
        0x11 => (12, Some(IpAddr::from(*body.first_chunk::<4>()?))),
        0x21 => (36, Some(IpAddr::from(*body.first_chunk::<16>()?))),
        0x31 => (216, None),
        _ => return None,
    };
    are_additions(body.get(length..)?).then_some(told)
}

/// Whether this is a row of types, lengths and values, to its end.
fn are_additions(mut bytes: &[u8]) -> bool {
    while let [_, high, low, rest @ ..] = bytes {
        let Some(after) = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..) else { return false };
        bytes = after;
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_a_line_by_the_letter() {
        let told = |line: &str| first(line.as_bytes());
        assert_eq!(told("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n"), Some(Some([1, 2, 3, 4].into())));
        assert_eq!(told("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), Some(Some("2001:db8::1".parse().unwrap())));
        assert_eq!((told("PROXY UNKNOWN\r\n"), told("PROXY UNKNOWN any thing\r\n")), (Some(None), Some(None)));
        for odd in [
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            "PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
            "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        ] {
            assert_eq!(told(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_second_version_is_taken_as_far_as_its_lengths_agree() {
        let four = [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2];
        assert_eq!(second(0x21, 0x11, &four), Some(Some([1, 2, 3, 4].into())));
        let more = [&four[..], &[4, 0, 2, 9, 9]].concat();
        assert!(second(0x21, 0x11, &more).is_some() && second(0x21, 0x11, &more[..16]).is_none());
        assert_eq!((second(0x20, 0x11, b"any"), second(0x21, 0, b"any")), (Some(None), Some(None)));
        assert_eq!(second(0x21, 0x21, &[0; 36]), Some(Some("::".parse().unwrap())));
        assert_eq!((second(0x21, 0x31, &[0; 216]), second(0x21, 0x31, &[0; 215])), (Some(None), None));
        for (version, family) in [(0x11, 0x11), (0x22, 0x11), (0x21, 0x12), (0x21, 0x41), (0x21, 0x13)] {
            assert_eq!(second(version, family, &four), None, "{version:x} {family:x}");
        }
        assert_eq!((second(0x21, 0x11, &four[..11]), second(0x21, 0x21, &four)), (None, None));
    }
}
