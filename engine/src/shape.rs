//! A message with its variables masked: phase one's key.

/// Turns messages into shapes, reusing its buffers.
#[derive(Debug, Default)]
pub struct Shaper {
    shape: Vec<u8>,
}

impl Shaper {
    /// The shape of a message: a pure function of its bytes. Valid UTF-8 whatever the message holds, free of line
    /// feeds; masking a shape's own text again changes nothing.
    pub fn shape(&mut self, message: &[u8]) -> &[u8] {
        self.shape.clear();
        for (i, token) in message.split(|b| *b == b' ').enumerate() {
            if i > 0 {
                self.shape.push(b' ');
            }
            if token.iter().any(u8::is_ascii_digit) {
                self.shape.extend_from_slice(b"<*>");
            } else {
                self.shape.extend_from_slice(String::from_utf8_lossy(token).as_bytes());
            }
        }
        &self.shape
    }
}
