//! Chromium through chromedriver, both ours alone and ended with the test.

use std::{
    env,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use fantoccini::{Client, ClientBuilder, Locator, error::CmdError};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{process::Process, wait::until};

const CHROMIUM: &[&str] = &["chromium", "chromium-browser", "google-chrome"];
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--force-color-profile=srgb",
];

/// A page in a browser; every call blocks.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    group: Pid,
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser. Without one on this machine: says so in one line, once, and gives `None`.
    ///
    /// # Panics
    ///
    /// When there is none and `CI=true` is set, naming the missing packages.
    pub fn start() -> Option<Self> {
        let (Some(browser), Some(driver)) = (CHROMIUM.iter().find_map(|name| in_path(name)), in_path("chromedriver"))
        else {
            leave_out();
            return None;
        };
        let profile = tempfile::tempdir().expect("a temporary folder can be made");
        let driver = Process::start(Command::new(driver).arg("--port=0").env("HOME", profile.path()).process_group(0));
        let port = driver.line_after("ChromeDriver was started successfully on port ");
        let group = Pid::from_raw(driver.pid().cast_signed()).expect("a process id is not 0");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let arguments: Vec<String> = ARGUMENTS
            .iter()
            .map(|&argument| argument.to_owned())
            .chain([format!("--user-data-dir={}", profile.path().display())])
            .collect();
        let mut wanted = fantoccini::wd::Capabilities::new();
        wanted.insert("goog:chromeOptions".into(), json!({ "binary": browser, "args": arguments }));
        let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let client = runtime
            .block_on(ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&address))
            .expect("chromedriver opens a session");
        Some(Self { runtime, client: Some(client), group, _driver: driver, _profile: profile })
    }

    /// Opens `url` in a window of `width` by `height` pixels.
    pub fn open(&self, url: &str, width: u32, height: u32) {
        self.block(async |client| {
            client.set_window_size(width, height).await?;
            client.goto(url).await
        });
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        self.block(Client::current_url).to_string()
    }

    /// Clicks the first element that matches, once it is there.
    pub fn click(&self, css: &str) {
        self.block(async |client| client.wait().for_element(Locator::Css(css)).await?.click().await);
    }

    /// Waits until `count` has some answer for the number of elements that match `css`.
    pub fn wait_for(&self, css: &str) {
        until(&format!("the page has {css}"), || (!self.all_text(css).is_empty()).then_some(()));
    }

    /// The text of all elements that match `css`, in the page's order.
    pub fn all_text(&self, css: &str) -> Vec<String> {
        let script = "return Array.from(document.querySelectorAll(arguments[0]), e => e.textContent.trim())";
        let found = self.run(script, vec![json!(css)]);
        found.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    }

    /// Runs `script` in the page.
    pub fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.block(async move |client| client.execute(script, arguments).await)
    }

    /// The page as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        self.block(Client::screenshot)
    }

    fn block<T>(&self, work: impl AsyncFnOnce(&Client) -> Result<T, CmdError>) -> T {
        let client = self.client.as_ref().expect("the session lives until the browser is dropped");
        self.runtime.block_on(work(client)).unwrap_or_else(|error| panic!("the browser refused: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // The group is ended anyway.
            let _ = self.runtime.block_on(client.close());
        }
        // chromedriver and every browser process it started; we made this group.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// A program by the search path.
fn in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// One line that is seen although the tests' output is captured: capturing holds for the print macros only.
fn leave_out() {
    let missing = "tests that need a browser: install the Debian packages chromium and chromium-driver";
    assert!(env::var_os("CI").is_none_or(|value| value != "true"), "CI must run the {missing}");
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = writeln!(std::io::stderr(), "\nleft out the {missing}");
    });
}
