//! Child processes: the only file that spawns, signals and reaps.

use std::{
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// A running child. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
}

impl Process {
    /// Starts a command in a process group of its own, so that Ctrl-C on the terminal is ours to pass on. A launcher, if
    /// there is one, ties its life to ours.
    pub(crate) fn launch(
        command: &[OsString],
        launcher: Option<&[OsString]>,
    ) -> io::Result<(Self, ChildStdout, ChildStderr)> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(launcher) = launcher {
            words.extend_from_slice(launcher);
            words.extend(["--balancer".into(), std::process::id().to_string().into(), "--".into()]);
        }
        words.extend_from_slice(command);
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok((Self { child, group }, stdout, stderr))
    }

    /// Its process id; `None` once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end, and ends what it has left behind in its group.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        if let Some(group) = self.group.take() {
            // Nobody left is the usual case.
            let _ = kill_process_group(group, Signal::KILL);
        }
        status
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        if let (Some(_), Some(pid)) = (self.child.id(), self.group) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends it and all it has started.
    pub(crate) fn kill(&self) {
        if let (Some(_), Some(group)) = (self.child.id(), self.group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
