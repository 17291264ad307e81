//! `Accept-Encoding` (RFC 9110, 12.5.3): which codings a client takes, and how gladly. Pure.

use super::Coding;

/// How gladly, in thousandths; 0 is not at all.
type Weight = u16;

/// What a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    zstd: Option<Weight>,
    gzip: Option<Weight>,
    plain: Option<Weight>,
    others: Option<Weight>,
}

impl Accepted {
    /// Reads the values of all fields of that name.
    pub fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut accepted = Self::default();
        for element in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            let mut parts = element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            // A weight that is none is one of nothing: what is not understood is not sent.
            let weight = parts.next().map_or(Some(1000), weight).unwrap_or(0);
            let known = match name.as_slice() {
                b"zstd" => &mut accepted.zstd,
                b"gzip" | b"x-gzip" => &mut accepted.gzip,
                b"identity" => &mut accepted.plain,
                b"*" => &mut accepted.others,
                _ => continue,
            };
            *known = Some(weight);
        }
        accepted
    }

    /// Whether bytes may come as they are.
    #[must_use]
    pub fn takes_plain(&self) -> bool {
        self.plain.or(self.others.filter(|weight| *weight == 0)) != Some(0)
    }

    /// The coding that it takes most gladly among some; none if it would rather have the bytes as they are.
    #[must_use]
    pub fn best(&self, among: impl Fn(Coding) -> bool) -> Option<Coding> {
        self.ranked().find(|coding| among(*coding))
    }

    /// All codings that it takes at least as gladly as the bytes as they are, the best first.
    pub fn ranked(&self) -> impl Iterator<Item = Coding> + use<> {
        let plain = self.plain.unwrap_or(0);
        let weight = |coding| match coding {
            Coding::Zstd => self.zstd.or(self.others),
            Coding::Gzip => self.gzip.or(self.others),
        };
        let mut ranked: Vec<(Coding, Weight)> =
            Coding::ALL.into_iter().filter_map(|coding| Some((coding, weight(coding)?))).collect();
        ranked.retain(|(_, weight)| *weight > 0 && *weight >= plain);
        // Stable: of two that are alike to the client, ours comes first.
        ranked.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        ranked.into_iter().map(|(coding, _)| coding)
    }
}

/// `q=0.123`.
fn weight(text: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', digits @ ..] = text else { return None };
    let (first, rest) = digits.split_first()?;
    let rest = match rest {
        [] => rest,
        [b'.', rest @ ..] if rest.len() <= 3 => rest,
        _ => return None,
    };
    let mut thousandths = Weight::from(first.checked_sub(b'0').filter(|digit| *digit <= 1)?);
    for place in 0..3 {
        let digit = rest.get(place).copied().unwrap_or(b'0');
        thousandths = thousandths * 10 + Weight::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_the_one_that_the_client_takes_most_gladly() {
        use Coding::{Gzip, Zstd};
        for (accept, expected, plain) in [
            ("", None, true),
            ("gzip, deflate, br, zstd", Some(Zstd), true),
            ("gzip", Some(Gzip), true),
            ("x-GZIP", Some(Gzip), true),
            ("br", None, true),
            ("*", Some(Zstd), true),
            ("*;q=0", None, false),
            ("gzip;q=0, *", Some(Zstd), true),
            ("zstd;q=0.5, gzip;q=0.501", Some(Gzip), true),
            ("zstd;q=0.5,gzip;q=0.5", Some(Zstd), true),
            ("gzip;q=0", None, true),
            ("gzip;q=0.000", None, true),
            ("gzip ; Q=1.000", Some(Gzip), true),
            ("gzip;q=1.001", None, true),
            ("gzip;q=0.1234", None, true),
            ("gzip;q=", None, true),
            ("gzip;q=-1", None, true),
            ("gzip;x=1", None, true),
            ("identity;q=0", None, false),
            ("identity;q=0, gzip;q=0.1", Some(Gzip), false),
            ("gzip;q=0.5, identity", None, true),
            ("gzip;q=0.5, identity;q=0.5", Some(Gzip), true),
            ("identity, *;q=0", None, true),
            ("gzip, *;q=0", Some(Gzip), false),
            (",,gzip,", Some(Gzip), true),
        ] {
            let accepted = Accepted::read([accept.as_bytes()].into_iter());
            assert_eq!((accepted.best(|_| true), accepted.takes_plain()), (expected, plain), "{accept}");
        }
    }

    #[test]
    fn several_fields_are_one_list() {
        let accepted = Accepted::read([&b"br"[..], b"gzip"].into_iter());
        assert_eq!(accepted.best(|_| true), Some(Coding::Gzip));
        assert_eq!(accepted.best(|coding| coding == Coding::Zstd), None);
        assert_eq!(Accepted::read(std::iter::empty()).best(|_| true), None);
    }
}
