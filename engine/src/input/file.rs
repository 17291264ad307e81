//! `Steady`: a regular file that has to be as long, when its end is met, as when it was opened. A log that is cut to nothing by
//! its rotation while it is read would otherwise pass for a short one.

use std::{
    fs::File,
    io::{self, Read},
};

/// Reads a file; that it became shorter is an error at its end, where it is known.
pub(super) struct Steady {
    file: File,
    opened_with: u64,
    read: u64,
}

impl Steady {
    /// From its beginning; `bytes` is how long it is now.
    pub(super) fn new(file: File, bytes: u64) -> Self {
        Self { file, opened_with: bytes, read: 0 }
    }
}

impl Read for Steady {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read += n as u64;
        if n > 0 || buffer.is_empty() || self.read >= self.opened_with {
            return Ok(n);
        }
        // Some file systems give files lengths that they never had.
        let now = self.file.metadata()?.len();
        if now >= self.opened_with {
            return Ok(0);
        }
        let was = std::mem::take(&mut self.opened_with);
        Err(io::Error::other(format!("it was cut from {was} bytes to {now} while it was read")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_while_it_is_read_is_no_short_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [b'x'; 1000]).unwrap();
        let mut steady = Steady::new(file.reopen().unwrap(), 1000);
        steady.read_exact(&mut [0; 100]).unwrap();
        file.as_file().set_len(40).unwrap();
        let error = steady.read(&mut [0; 100]).unwrap_err();
        assert_eq!(error.to_string(), "it was cut from 1000 bytes to 40 while it was read");
        assert_eq!(steady.read(&mut [0; 100]).unwrap(), 0, "said once");
    }

    #[test]
    fn a_file_that_grows_is_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "twelve bytes").unwrap();
        let mut text = String::new();
        Steady::new(file.reopen().unwrap(), 5).read_to_string(&mut text).unwrap();
        assert_eq!(text, "twelve bytes");
    }
}
