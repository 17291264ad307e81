//! A started program: its output is kept, its end is certain. Owns every signal the tests send.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{DEADLINE, until};

/// A program that runs beside the test. When dropped it is stopped, and if the test failed its output is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    text: String,
    open: usize,
}

impl Process {
    /// Starts `command` with its output kept.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_output(command, Stdio::piped())
    }

    /// The same with its standard output going elsewhere; kept is what it prints as errors.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    pub fn start_with_output(command: &mut Command, stdout: Stdio) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let output = Arc::new(Output::default());
        output.lines().open = 1 + usize::from(child.stdout.is_some());
        if let Some(stdout) = child.stdout.take() {
            keep(stdout, Arc::clone(&output));
        }
        keep(child.stderr.take().expect("stderr is piped"), Arc::clone(&output));
        Self { name, child, output }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed so far, standard output and error as they came.
    pub fn output(&self) -> String {
        self.output.lines().text.clone()
    }

    /// The rest of the first line that begins with `start`, waited for.
    ///
    /// # Panics
    ///
    /// When the program ends without it or two minutes pass; the message holds the output.
    pub fn line_after(&self, start: &str) -> String {
        let began = Instant::now();
        let mut lines = self.output.lines();
        loop {
            if let Some(rest) = lines.text.lines().find_map(|line| line.strip_prefix(start).map(str::to_owned)) {
                return rest;
            }
            assert!(
                lines.open > 0 && began.elapsed() < DEADLINE,
                "{} printed no line that begins with {start:?}:\n{}",
                self.name,
                lines.text
            );
            lines = self.output.changed.wait_timeout(lines, DEADLINE / 60).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the program to stop, as `kill` does.
    pub fn terminate(&self) {
        send(self.pid(), Signal::TERM);
    }

    /// Waits for the end of the program.
    ///
    /// # Panics
    ///
    /// When it does not end within two minutes.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let child = &mut self.child;
        until(&format!("{name} ended"), || child.try_wait().expect("our own child can be waited for"))
    }

    /// Asks the program to stop and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let below = children_of(self.pid());
            self.terminate();
            let began = Instant::now();
            while began.elapsed() < DEADLINE / 6 && matches!(self.child.try_wait(), Ok(None)) {
                thread::yield_now();
                thread::park_timeout(DEADLINE / 6000);
            }
            if let Ok(None) = self.child.try_wait() {
                below.into_iter().for_each(kill_now);
                kill_now(self.pid());
                let _ = self.child.wait();
            }
        }
        if thread::panicking() {
            eprintln!("--- output of {} ---\n{}", self.name, self.output());
        }
    }
}

impl Output {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Held for a line at most; a test that failed meanwhile leaves it as good as before.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `command` to its end, feeding it `stdin`.
///
/// # Panics
///
/// When it cannot be started.
pub fn run(command: &mut Command, stdin: &[u8]) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
    let mut input = child.stdin.take().expect("stdin is piped");
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that has seen enough closes its end: not our failure.
            let _ = input.write_all(stdin);
        });
        let out = child.wait_with_output().expect("our own child can be waited for");
        Finished {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    })
}

/// Process ids of the direct children of `pid`, lowest first.
pub fn children_of(pid: u32) -> Vec<u32> {
    let mut found: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&other| stat(other).is_some_and(|fields| fields.get(1) == Some(&u64::from(pid))))
        .collect();
    found.sort_unstable();
    found
}

/// Processor time `pid` has used, in clock ticks; 0 when it is gone.
pub fn cpu_ticks(pid: u32) -> u64 {
    stat(pid).map_or(0, |fields| fields[11] + fields[12])
}

/// Bytes `pid` has asked its files and sockets for so far; 0 when it is gone.
pub fn bytes_read(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
}

/// `kill -9` for a process this test has started, itself or through a program it started.
pub fn kill_now(pid: u32) {
    send(pid, Signal::KILL);
}

/// What Ctrl-C sends, for a process this test has started.
pub fn interrupt(pid: u32) {
    send(pid, Signal::INT);
}

/// The numbers of `/proc/PID/stat` after the name, the state counted as 0; `None` when the process is gone or a zombie.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = text.rsplit_once(") ")?.1;
    (!rest.starts_with('Z')).then(|| rest.split(' ').map(|field| field.trim().parse().unwrap_or(0)).collect())
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id is not 0");
    // Already gone is fine.
    let _ = kill_process(pid, signal);
}

/// Reads `stream` to its end on a thread of its own, which ends with the stream.
fn keep(stream: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
            output.lines().text.push_str(&String::from_utf8_lossy(&line));
            output.changed.notify_all();
            line.clear();
        }
        output.lines().open -= 1;
        output.changed.notify_all();
    });
}
