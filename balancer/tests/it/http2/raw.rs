use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use tokio_rustls::rustls::ALL_VERSIONS;

use crate::tls::{Authority, Client};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// One frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) id: u32,
    pub(crate) payload: Vec<u8>,
}

/// A client's connection that checks nothing.
pub(crate) struct Raw {
    client: Client,
    out: Vec<u8>,
    /// The statuses of the answer that was read last, interim ones too.
    pub(crate) statuses: Vec<u16>,
    /// Whether it had trailers.
    pub(crate) trailed: bool,
}

impl Raw {
    pub(crate) fn to(address: SocketAddr, authority: &Authority) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), authority)
    }

    pub(crate) fn over(socket: TcpStream, authority: &Authority) -> Self {
        let mut config = authority.client(ALL_VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let client = Client::over(socket, "localhost", Arc::new(config));
        let mut raw = Self { client, out: Vec::new(), statuses: Vec::new(), trailed: false };
        raw.out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.frame(SETTINGS, 0, 0, &[]);
        raw
    }

    /// Takes back the settings that end the preface, as long as nothing has gone out.
    pub(crate) fn unsettled(mut self) -> Self {
        self.out.truncate(self.out.len() - 9);
        self
    }

    /// Takes a frame; it goes out with the next [`flush`](Self::flush).
    pub(crate) fn frame(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        self.out.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
        self.out.extend_from_slice(&[kind, flags]);
        self.out.extend_from_slice(&id.to_be_bytes());
        self.out.extend_from_slice(payload);
    }

    /// Sends bytes, whether or not they are frames.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.flush();
    }

    /// Sends a head; `last` if no body follows.
    pub(crate) fn request(&mut self, id: u32, fields: &[(&str, &str)], last: bool) {
        self.frame(HEADERS, 4 | u8::from(last), id, &block(fields));
        self.flush();
    }

    pub(crate) fn flush(&mut self) {
        let out = std::mem::take(&mut self.out);
        // Who is not listened to any more reads why.
        drop(self.client.0.get_mut().write_all(&out));
        drop(self.client.0.get_mut().flush());
    }

    /// Sends until nobody listens; whether that was so.
    pub(crate) fn try_send(&mut self) -> bool {
        let out = std::mem::take(&mut self.out);
        self.client.0.get_mut().write_all(&out).is_ok()
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.flush();
        let mut head = [0; 9];
        match self.client.0.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing comes"),
            read => read.ok()?,
        }
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        self.client.0.read_exact(&mut payload).ok()?;
        let id = u32::from_be_bytes(head[5..].try_into().unwrap());
        if head[3] == SETTINGS && head[4] == 0 {
            self.frame(SETTINGS, 1, 0, &[]);
        }
        if head[3] == 6 && head[4] == 0 {
            self.frame(6, 1, 0, &payload);
        }
        Some(Frame { kind: head[3], flags: head[4], id, payload })
    }

    pub(crate) fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// The body of an answer, or the code it was reset or the connection ended with. Windows are kept open.
    pub(crate) fn answer(&mut self, id: u32) -> Result<String, u32> {
        let mut body = Vec::new();
        (self.statuses, self.trailed) = (Vec::new(), false);
        loop {
            let frame = self.next().ok_or(u32::MAX)?;
            match frame.kind {
                HEADERS if frame.id == id => {
                    let begins = self.statuses.last().is_none_or(|status| *status < 200);
                    if begins {
                        self.statuses.push(status(&frame.payload));
                    }
                    self.trailed |= !begins;
                }
                DATA if frame.id == id => body.extend_from_slice(&frame.payload),
                RESET if frame.id == id => return Err(code(&frame.payload)),
                GOAWAY if code(&frame.payload[4..]) != 0 => return Err(code(&frame.payload[4..])),
                _ => continue,
            }
            if frame.kind == DATA && !frame.payload.is_empty() {
                let more = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
                self.frame(WINDOW_UPDATE, 0, 0, &more);
            }
            if frame.flags & 1 == 1 {
                return Ok(String::from_utf8(body).unwrap());
            }
        }
    }

    /// The status of an answer; 0 if it was reset.
    pub(crate) fn status(&mut self, id: u32) -> u16 {
        self.answer(id).map_or(0, |_| *self.statuses.last().unwrap())
    }
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

/// Fields in HPACK, each as a literal that nobody remembers.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(&mut block, name.as_bytes());
        string(&mut block, value.as_bytes());
    }
    block
}

/// `Length` and bytes (RFC 7541, 5.1 and 5.2).
fn string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text);
}

/// The status at the beginning of a block of fields, on a connection that has had none but the usual ones.
pub(crate) fn status(block: &[u8]) -> u16 {
    let digits = match block {
        [0x88..=0x8e, ..] => return [200, 204, 206, 304, 400, 404, 500][usize::from(block[0] - 0x88)],
        [0x48 | 0x08 | 0x18, length, text @ ..] if length & 0x80 == 0 => text[..usize::from(*length)].to_vec(),
        [0x48 | 0x08 | 0x18, length, text @ ..] => huffman(&text[..usize::from(length & 0x7f)]),
        _ => panic!("no status in {block:?}"),
    };
    String::from_utf8(digits).unwrap().parse().unwrap()
}

/// Digits only (RFC 7541, appendix B): 0 to 2 in five bits, the others in six.
fn huffman(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let (mut at, mut digits) = (0, Vec::new());
    while at + 5 <= bits.len() {
        match number(&bits[at..at + 5]) {
            short @ 0..=2 => {
                digits.push(b'0' + short);
                at += 5;
            }
            _ if at + 6 <= bits.len() && number(&bits[at..at + 6]) < 32 => {
                digits.push(b'3' + number(&bits[at..at + 6]) - 0b1_1001);
                at += 6;
            }
            _ => break,
        }
    }
    digits
}
