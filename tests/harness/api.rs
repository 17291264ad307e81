//! A blocking client of the JSON API. Statuses are answers here, never errors.

use std::{io::Read, time::Duration};

use serde_json::{Value, json};
use ureq::{Agent, Body, SendBody, http::Response};

use crate::wait::until;

/// Enough for the largest list page the tests ask for.
const BODY_LIMIT: u64 = 256 << 20;

/// The API of one service.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    base: String,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Content-Type`, empty when missing.
    pub content_type: String,
    /// `Location`, empty when missing.
    pub location: String,
    /// The body, bad bytes replaced.
    pub body: String,
}

/// An upload that got no answer, in words.
#[derive(Debug)]
pub struct UploadError(pub String);

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON; the message holds the body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("status {}, not JSON ({error}): {}", self.status, self.body))
    }
}

impl Api {
    /// A client for the service at `base`, `http://HOST:PORT`.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .build();
        Self { agent: config.new_agent(), base: base.to_owned() }
    }

    /// GET; the error is a connection that broke, in words.
    pub fn try_get(&self, path: &str) -> Result<Answer, String> {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("accept", accepted(path)).call();
        answer.map_err(|error| error.to_string()).and_then(read)
    }

    /// GET.
    ///
    /// # Panics
    ///
    /// When the connection breaks.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Uploads `bytes` as a log called `name`.
    ///
    /// # Panics
    ///
    /// When the connection breaks.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Answer {
        self.try_upload(name, bytes, bytes.len() as u64)
            .unwrap_or_else(|UploadError(error)| panic!("upload of {name}: {error}"))
    }

    /// Uploads the `length` bytes of `body` as they come.
    pub fn try_upload(&self, name: &str, mut body: impl Read, length: u64) -> Result<Answer, UploadError> {
        self.agent
            .post(format!("{}/api/v1/reports?name={name}", self.base))
            .header("accept", "application/json")
            .header("content-type", "application/octet-stream")
            .header("content-length", length.to_string())
            .send(SendBody::from_reader(&mut body))
            .map_err(|error| UploadError(error.to_string()))
            .and_then(|answer| read(answer).map_err(UploadError))
    }

    /// Asks for a report on a file the service can read itself.
    ///
    /// # Panics
    ///
    /// When the connection breaks.
    pub fn open_path(&self, path: &str) -> Answer {
        let sent = self
            .agent
            .post(format!("{}/api/v1/reports", self.base))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .send(json!({ "path": path }).to_string());
        sent.map_err(|error| error.to_string()).and_then(read).unwrap_or_else(|error| panic!("POST of {path}: {error}"))
    }

    /// The report of an upload, waited for.
    pub fn analyse(&self, name: &str, bytes: &[u8]) -> Value {
        self.finished(&accepted_id(&self.upload(name, bytes)))
    }

    /// The state of a report.
    pub fn report(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/reports/{id}")).json()
    }

    /// The report once it is done or failed.
    pub fn settled(&self, id: &str) -> Value {
        until(&format!("report {id} is done"), || {
            Some(self.report(id)).filter(|report| report["status"] == "done" || report["status"] == "failed")
        })
    }

    /// The report once it is done.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn finished(&self, id: &str) -> Value {
        let report = self.settled(id);
        assert_eq!(report["status"], "done", "{report:#}");
        report
    }

    /// All clusters of a report, page by page.
    pub fn clusters(&self, id: &str) -> Vec<Value> {
        self.all(&format!("/api/v1/reports/{id}/clusters?limit=200"))
    }

    /// All lines of a cluster, page by page.
    pub fn lines(&self, id: &str, cluster: &str) -> Vec<Value> {
        self.all(&format!("/api/v1/reports/{id}/clusters/{cluster}/lines?limit=1000"))
    }

    /// Every item of a list; checks that its `total` is their number.
    fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut page = self.get(path);
        loop {
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            let list = page.json();
            let got = list["items"].as_array().unwrap_or_else(|| panic!("{path} has no items: {list}"));
            items.extend(got.iter().cloned());
            let Some(cursor) = list["next"].as_str() else {
                assert_eq!(list["total"], items.len(), "total of {path}");
                return items;
            };
            assert!(!got.is_empty(), "{path} gives an empty page and a cursor");
            page = self.get(&format!("{path}&cursor={cursor}"));
        }
    }
}

/// The id in a 202.
///
/// # Panics
///
/// When the answer is something else.
pub(crate) fn accepted_id(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an accepted report has an id").to_owned();
    assert!(answer.location.ends_with(&id), "Location {} does not end with {id}", answer.location);
    id
}

fn accepted(path: &str) -> &'static str {
    if path.starts_with("/api/") { "application/json" } else { "text/html" }
}

fn read(mut answer: Response<Body>) -> Result<Answer, String> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, content_type, location) = (answer.status().as_u16(), header("content-type"), header("location"));
    let bytes = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().map_err(|error| error.to_string())?;
    Ok(Answer { status, content_type, location, body: String::from_utf8_lossy(&bytes).into_owned() })
}
