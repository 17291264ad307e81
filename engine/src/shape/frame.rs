//! Names of frames in the text of an event of several lines, which stay as they are: an import path with slashes is no path there,
//! a method is no host. What of a name differs from run to run is a slot in that text already.

use std::ops::Range;

use crate::token::BREAK;

/// Where the name of a frame stands in a text that goes on with [`BREAK`]: `⏎ a.b/c.(*T).f(<*>)`, `⏎ at a.b.c(`. `None` where no
/// such frame follows, or one of the second form has digits, which may be values.
pub(super) fn name(text: &[u8]) -> Option<Range<usize>> {
    let line = text.strip_prefix(BREAK.as_bytes())?.strip_prefix(b" ")?;
    let line = memchr::memmem::find(line, BREAK.as_bytes()).map_or(line, |end| &line[..end]).trim_ascii_end();
    let name = match line.strip_prefix(b"at ") {
        Some(call) => {
            let call = call.strip_prefix(b"async ").unwrap_or(call);
            let name = call[..memchr::memchr(b'(', call)?].trim_ascii_end();
            Some(name).filter(|name| !name.iter().any(u8::is_ascii_digit))?
        }
        None => line.strip_suffix(b"(<*>)")?,
    };
    let start = name.as_ptr().addr() - text.as_ptr().addr();
    (!name.is_empty() && !name.contains(&b' ')).then_some(start..start + name.len())
}
