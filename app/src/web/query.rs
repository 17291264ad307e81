//! `Query`: the parameters of an address. An unknown or malformed one is refused by name: a filter that is silently
//! dropped shows wrong numbers.

use std::ops::RangeInclusive;

use axum::http::Uri;

use super::error::WebError;

/// The parameters, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Those of an address; each name has to be a known one, and stand there once.
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Self, WebError> {
        let query: axum::extract::Query<Vec<(String, String)>> = axum::extract::Query::try_from_uri(uri)
            .map_err(|_| WebError::bad_request("the part of the address after `?` is not well formed"))?;
        let pairs = query.0;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(WebError::bad_request(format!("unknown parameter `{name}`; known here: {known}")));
            }
            if pairs[..at].iter().any(|(other, _)| other == name) {
                return Err(WebError::bad_request(format!("parameter `{name}` is given twice; give it once")));
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter's text; an empty one counts as not given, since forms send those.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &str, default: u64, bounds: RangeInclusive<u64>) -> Result<u64, WebError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|n| bounds.contains(n));
        number.ok_or_else(|| {
            let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
            self.wrong(name, &expected)
        })
    }

    /// `similarity`, from 0 to 1, in thousandths; `None` without one, and then a report is shown as its analysis gave it.
    pub fn similarity(&self) -> Result<Option<u16>, WebError> {
        let Some(text) = self.text("similarity") else { return Ok(None) };
        let number: Option<f64> = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
        // From 0 to 1000.
        let thousandths = number.map(|number| (number * 1000.0).round() as u16);
        thousandths.map(Some).ok_or_else(|| self.wrong("similarity", "a number from 0 (broader) to 1 (narrower)"))
    }

    /// The refusal of a parameter's value.
    pub fn wrong(&self, name: &str, expected: &str) -> WebError {
        let value: String = self.text(name).unwrap_or_default().chars().take(60).collect();
        WebError::bad_request(format!("parameter `{name}` is `{value}`; expected {expected}"))
    }
}
