//! One body on its way through a coding: bytes in, fewer bytes out, at any moment all that went in so far. It knows nothing
//! of sockets.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use zstd::{stream::raw::CParameter, stream::write::Encoder as ZstdEncoder};

use super::Coding;

/// How hard gzip tries, of 9: three quarters of what the hardest saves, in a third of its time.
const GZIP_LEVEL: u32 = 4;
/// How hard zstd tries, of 22.
const ZSTD_LEVEL: i32 = 3;
/// How far zstd looks back, as a power of two, and how large its two tables are: they are most of its memory.
const SMALL: [CParameter; 3] = [CParameter::WindowLog(17), CParameter::HashLog(15), CParameter::ChainLog(15)];

/// A body on its way.
pub struct Encoder(Kind);

enum Kind {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<ZstdEncoder<'static, Vec<u8>>>),
}

impl Encoder {
    /// A new one.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn new(coding: Coding) -> io::Result<Self> {
        Ok(Self(match coding {
            Coding::Gzip => Kind::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL)))),
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                for parameter in SMALL {
                    encoder.set_parameter(parameter)?;
                }
                Kind::Zstd(Box::new(encoder))
            }
        }))
    }

    /// Takes bytes; they may stay inside for a while.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.write_all(bytes),
            Kind::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Brings out all that is inside, so that its reader has every byte so far.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.flush(),
            Kind::Zstd(encoder) => encoder.flush(),
        }
    }

    /// Brings out the end.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn finish(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.try_finish(),
            Kind::Zstd(encoder) => encoder.do_finish(),
        }
    }

    /// What has come out.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        match &self.0 {
            Kind::Gzip(encoder) => encoder.get_ref(),
            Kind::Zstd(encoder) => encoder.get_ref(),
        }
    }

    /// It has been taken.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.get_mut().clear(),
            Kind::Zstd(encoder) => encoder.get_mut().clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        // What has come so far may end anywhere.
        drop(match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut text),
            Coding::Zstd => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut text),
        });
        text
    }

    #[test]
    fn all_that_went_in_has_come_out_whenever_that_is_wanted() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding).unwrap();
            let (mut sent, mut seen) = (Vec::new(), Vec::new());
            for number in 0..50 {
                let piece = format!("piece {number}, ").repeat(number * 40);
                sent.extend_from_slice(piece.as_bytes());
                encoder.write(piece.as_bytes()).unwrap();
                encoder.flush().unwrap();
                seen.extend_from_slice(encoder.output());
                encoder.clear();
                assert_eq!(unpacked(coding, &seen), sent, "{coding:?}");
            }
            encoder.finish().unwrap();
            seen.extend_from_slice(encoder.output());
            assert!(unpacked(coding, &seen) == sent && seen.len() < sent.len() / 10, "{coding:?}");
        }
    }

    #[test]
    fn the_memory_of_zstd_is_bounded() {
        let mut context = zstd::zstd_safe::CCtx::create();
        context.set_parameter(CParameter::CompressionLevel(ZSTD_LEVEL)).unwrap();
        for parameter in SMALL {
            context.set_parameter(parameter).unwrap();
        }
        let noise: Vec<u8> = (0..4_u32 << 20).map(|number| (number.wrapping_mul(number) >> 7) as u8).collect();
        let mut encoder = ZstdEncoder::with_context(Vec::new(), &mut context);
        encoder.write_all(&noise).unwrap();
        drop(encoder);
        let memory = context.sizeof();
        assert!(memory < Coding::Zstd.memory() && memory > Coding::Zstd.memory() / 2, "{memory}");
    }
}
