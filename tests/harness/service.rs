//! `logkin up` and `logkin serve` with a fresh data directory and ports of their own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    api::Api,
    binaries::logkin,
    process::{Process, children_of, kill_now},
    samples::repository,
    wait::until,
};

/// How to start a service.
#[derive(Debug)]
pub struct ServiceBuilder {
    instances: Option<u16>,
    data: Option<PathBuf>,
    roots: Vec<PathBuf>,
    more: Vec<String>,
}

/// A running service: `up` with its instances, or one `serve`.
#[derive(Debug)]
pub struct Service {
    process: Process,
    url: String,
    data: PathBuf,
    _kept: Option<TempDir>,
}

impl Service {
    /// A balancer and `instances` instances.
    pub fn up(instances: u16) -> ServiceBuilder {
        ServiceBuilder { instances: Some(instances), data: None, roots: Vec::new(), more: Vec::new() }
    }

    /// One instance, no balancer.
    pub fn serve() -> ServiceBuilder {
        ServiceBuilder { instances: None, data: None, roots: Vec::new(), more: Vec::new() }
    }

    /// Address of the page, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A client of its JSON API.
    pub fn api(&self) -> Api {
        Api::new(&self.url)
    }

    /// The word behind `words` in what it printed so far.
    ///
    /// # Panics
    ///
    /// When it did not print them.
    pub fn said(&self, words: &str) -> String {
        let output = self.process.output();
        let word = output.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
        word.unwrap_or_else(|| panic!("{words:?} is not in what it printed:\n{output}")).to_owned()
    }

    /// The started process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Process ids of the instances.
    pub fn instances(&self) -> Vec<u32> {
        children_of(self.process.pid())
    }

    /// Kills one instance the hard way.
    ///
    /// # Panics
    ///
    /// When `pid` is not an instance of this service.
    pub fn kill_instance(&self, pid: u32) {
        assert!(self.instances().contains(&pid), "{pid} is not an instance of this service");
        kill_now(pid);
    }

    /// Waits until `count` instances run, none of them one of `gone`.
    pub fn wait_for_instances(&self, count: usize, gone: &[u32]) {
        until("the instances are back", || {
            let now = self.instances();
            (now.len() == count && !now.iter().any(|pid| gone.contains(pid))).then_some(())
        });
    }

    /// Stops it as an operator does and gives back all it printed.
    pub fn stop(mut self) -> String {
        let status = self.process.stop();
        assert!(status.success(), "the service ended with {status}:\n{}", self.process.output());
        self.process.output()
    }
}

impl ServiceBuilder {
    /// Keeps its state in `folder` instead of a temporary one.
    #[must_use]
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Lets it read files below `folder`; without any, below `sample-logs`' parent, the repository.
    #[must_use]
    pub fn root(mut self, folder: &Path) -> Self {
        self.roots.push(folder.to_owned());
        self
    }

    /// Gives it these arguments too.
    #[must_use]
    pub fn more(mut self, arguments: &[&str]) -> Self {
        self.more.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Starts it and waits for its ready line.
    pub fn start(self) -> Service {
        let (kept, data) = match self.data {
            Some(folder) => (None, folder),
            None => {
                let kept = tempfile::tempdir().expect("a temporary folder can be made");
                let data = kept.path().join("data");
                (Some(kept), data)
            }
        };
        let mut command = Command::new(logkin());
        match self.instances {
            Some(count) => command
                .args(["up", "--listen", "127.0.0.1:0", "--first-port", "0", "--instances"])
                .arg(count.to_string()),
            None => command.args(["serve", "--listen", "127.0.0.1:0"]),
        };
        command.arg("--data-dir").arg(&data).current_dir(repository());
        for root in &self.roots {
            command.arg("--allow-root").arg(root);
        }
        command.args(&self.more);
        let process = Process::start(&mut command);
        let rest = process.line_after(if self.instances.is_some() { "logkin is ready: " } else { "ready: " });
        let url = rest.split_whitespace().next().expect("the ready line names a URL").trim_end_matches('/').to_owned();
        Service { process, url, data, _kept: kept }
    }
}
