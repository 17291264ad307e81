//! Looks after launched programs: one task per instance turns what happens to its process into the machine's events and
//! does what the machine says. It tells the pool who can be given requests.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    machine::{Action, Event, Machine, Policy, State},
    output::{LastLine, Terminal},
    process::Process,
};
use crate::{
    backend::{Address, Backend, BackendId, Question},
    config::Program,
    health,
    pool::Change,
};

pub mod backoff;
pub mod launcher;
pub mod machine;
pub(crate) mod output;
mod process;

/// Hands out ids for backends.
#[derive(Debug, Default)]
pub(crate) struct Ids(AtomicU32);

impl Ids {
    pub(crate) fn next(&self) -> BackendId {
        BackendId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Deaths in a row before it was ever ready after which an instance is said to be hopeless.
const HOPELESS: u32 = 5;

/// An instance that ends again and again before it is ready.
#[derive(Debug, Clone)]
pub(crate) struct Hopeless {
    pub(crate) name: String,
    /// How it ended, the last thing it said, and where the rest of that is.
    pub(crate) how: String,
}

/// What all instances share.
#[derive(Debug, Clone)]
pub(crate) struct Care {
    pub(crate) changes: mpsc::Sender<Change>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) launcher: Option<Arc<[OsString]>>,
    pub(crate) terminal: Terminal,
    /// Whoever started us decides what follows; one that nobody has heard yet is enough.
    pub(crate) hopeless: mpsc::Sender<Hopeless>,
    pub(crate) stop: CancellationToken,
    /// Kill at once instead of waiting.
    pub(crate) force: CancellationToken,
}

/// One instance to be.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) command: Vec<OsString>,
    pub(crate) address: Address,
    pub(crate) log: Option<PathBuf>,
    pub(crate) program: Arc<Program>,
}

impl Instance {
    /// The instances of a program; their sockets go into `sockets`.
    pub(crate) fn of(program: &Arc<Program>, sockets: &std::path::Path) -> Vec<Self> {
        let build = |(name, port): (String, &u16)| {
            let socket = sockets.join(format!("{name}.sock"));
            let fill = |word: &OsString| match word.to_str() {
                Some(word) => {
                    let word = word.replace("{port}", &port.to_string()).replace("{name}", &name);
                    word.replace("{socket}", &socket.to_string_lossy()).into()
                }
                None => word.clone(),
            };
            let command = program.command.iter().map(fill).collect();
            let address = if program.uses_socket() {
                Address::Unix(socket.clone())
            } else {
                Address::Tcp(([127, 0, 0, 1], *port).into())
            };
            let log = program.log_dir.as_ref().map(|dir| dir.join(format!("{name}.log")));
            Self { name, command, address, log, program: Arc::clone(program) }
        };
        program.instance_names().into_iter().zip(&program.ports).map(build).collect()
    }
}

/// Starts an instance and looks after it until `care.stop`. Returns whether it had to be killed.
pub(crate) async fn look_after(instance: Instance, care: Care) -> bool {
    let program = &instance.program;
    let policy = Policy {
        start: program.start_deadline,
        // Requests are finished before the supervisor is told to stop.
        drain: Duration::from_secs(1),
        stop: program.stop_deadline,
        backoff: program.backoff,
    };
    let mut keeper = Keeper {
        instance: &instance,
        care: &care,
        machine: Machine::new(Instant::now()),
        process: None,
        backend: None,
        output: TaskTracker::new(),
        last: LastLine::default(),
        early_deaths: 0,
        asked: false,
        killed: false,
    };
    keeper.step(Event::Start, &policy).await;
    while keeper.machine.state != State::Stopped {
        let event = keeper.next_event().await;
        keeper.step(event, &policy).await;
    }
    keeper.output.close();
    // Somebody else may hold the other end of its output; that is not worth waiting for.
    drop(timeout(Duration::from_secs(1), keeper.output.wait()).await);
    keeper.killed
}

struct Keeper<'a> {
    instance: &'a Instance,
    care: &'a Care,
    machine: Machine,
    process: Option<Process>,
    backend: Option<Arc<Backend>>,
    output: TaskTracker,
    last: LastLine,
    /// In a row, by itself, before it was ready.
    early_deaths: u32,
    asked: bool,
    killed: bool,
}

impl Keeper<'_> {
    async fn next_event(&mut self) -> Event {
        let state = self.machine.state;
        let deadline = self.machine.deadline;
        let backend = self.backend.clone();
        let ended = async {
            match &mut self.process {
                Some(process) => process.wait().await.ok(),
                // A process that could not be started has ended.
                None if state != State::Backoff => None,
                None => std::future::pending().await,
            }
        };
        let ready = async {
            match backend.as_ref().filter(|_| state == State::Starting) {
                Some(backend) => health::until_ready(backend).await,
                None => std::future::pending().await,
            }
        };
        let drained = async {
            match backend.as_ref().filter(|_| state == State::Draining) {
                Some(backend) => until_idle(backend).await,
                None => std::future::pending().await,
            }
        };
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let (stop, force) = (&self.care.stop, &self.care.force);
        tokio::select! {
            biased;
            status = ended => {
                self.process = None;
                self.tell_end(status);
                if state == State::Starting {
                    self.died_early(status).await;
                }
                Event::Exited
            }
            () = stop.cancelled(), if !self.asked => {
                self.asked = true;
                Event::Stop
            }
            () = force.cancelled(), if matches!(state, State::Draining | State::Stopping) && !self.killed => Event::Deadline,
            () = ready => {
                self.early_deaths = 0;
                Event::Ready
            }
            () = drained => Event::Drained,
            () = due => Event::Deadline,
        }
    }

    async fn died_early(&mut self, status: Option<ExitStatus>) {
        self.early_deaths += 1;
        if self.early_deaths < HOPELESS {
            return;
        }
        // What it said last may still be in the pipe.
        self.output.close();
        drop(timeout(Duration::from_millis(500), self.output.wait()).await);
        self.output.reopen();
        let status = status.map_or_else(|| "it could not be started".to_owned(), |status| status.to_string());
        let said = self.last.get().map(|line| format!(", and said: {line}")).unwrap_or_default();
        let log = self.instance.log.as_ref().map(|path| format!("; its output is in {}", path.display()));
        let how = format!("{status}{said}{}", log.unwrap_or_default());
        drop(self.care.hopeless.try_send(Hopeless { name: self.instance.name.clone(), how }));
    }

    async fn step(&mut self, event: Event, policy: &Policy) {
        let now = Instant::now();
        let (machine, actions) = match self.machine.step(event, now, chance(), policy) {
            Ok(stepped) => stepped,
            Err(error) => unreachable!("next_event gives only what the state allows: {error}"),
        };
        let name = &self.instance.name;
        if machine.state == State::Backoff
            && let Some(deadline) = machine.deadline
        {
            let wait = deadline - now;
            tracing::info!(instance = %name, failures = machine.failures, "{name} starts again in {wait:.1?}");
        }
        if event == Event::Deadline && self.machine.state == State::Starting {
            let path = &self.instance.program.health_path;
            tracing::error!(instance = %name, "{name} was not ready after {:?} (GET {path}); it is started again", policy.start);
        }
        self.machine = machine;
        for action in actions {
            self.act(*action).await;
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Launch => self.launch(),
            Action::Join => {
                if let Some(backend) = &self.backend {
                    self.tell(Change::Join(Arc::clone(backend))).await;
                }
            }
            Action::Drain => {
                if let Some(backend) = &self.backend {
                    self.tell(Change::Drain(backend.id)).await;
                }
            }
            Action::Leave => {
                if let Some(backend) = self.backend.take() {
                    self.tell(Change::Leave(backend.id)).await;
                }
            }
            Action::Terminate => {
                if let Some(process) = &self.process {
                    process.terminate();
                }
            }
            Action::Kill => {
                let name = &self.instance.name;
                tracing::warn!(instance = %name, "{name} did not end after SIGTERM and is killed");
                self.killed = true;
                if let Some(process) = &self.process {
                    process.kill();
                }
            }
        }
    }

    fn launch(&mut self) {
        let Instance { name, command, address, log, program } = self.instance;
        if let Address::Unix(socket) = address {
            // Left by a predecessor that was killed; its successor could not bind it.
            drop(std::fs::remove_file(socket));
        }
        let health = Some(Question::of(&program.health_path));
        let (id, terms) = (self.care.ids.next(), program.terms.clone());
        self.backend = Some(Arc::new(Backend::new(id, name.clone(), address.clone(), health, terms)));
        match Process::launch(command, self.care.launcher.as_deref()) {
            Ok((process, stdout, stderr)) => {
                tracing::info!(instance = %name, pid = process.id(), "{name} started");
                let open = |path: &PathBuf| {
                    let warn = |error| tracing::error!(instance = %name, %error, "{} cannot be opened: {error}", path.display());
                    output::open_log(path).map_err(warn).ok()
                };
                let file = log.as_ref().and_then(open);
                let second = file.as_ref().and_then(|file| file.try_clone().ok());
                let terminal = &self.care.terminal;
                self.output.spawn(output::copy_lines(stdout, name.clone(), file, terminal.clone(), self.last.clone()));
                self.output.spawn(output::copy_lines(
                    stderr,
                    name.clone(),
                    second,
                    terminal.clone(),
                    self.last.clone(),
                ));
                self.process = Some(process);
            }
            Err(error) => tracing::error!(instance = %name, %error, "{name} cannot be started: {error}"),
        }
    }

    fn tell_end(&self, status: Option<ExitStatus>) {
        let name = &self.instance.name;
        let Some(status) = status else { return };
        match self.machine.state {
            State::Stopping | State::Draining => tracing::info!(instance = %name, "{name} ended ({status})"),
            State::Starting => {
                let log = self.instance.log.as_ref().map(|path| format!("; its output is in {}", path.display()));
                tracing::error!(instance = %name, "{name} ended before it was ready ({status}){}", log.unwrap_or_default());
            }
            _ => tracing::error!(instance = %name, "{name} ended unexpectedly ({status})"),
        }
    }

    async fn tell(&self, change: Change) {
        // The pool's writer outlives the supervisor.
        drop(self.care.changes.send(change).await);
    }
}

async fn until_idle(backend: &Backend) {
    while backend.in_flight() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

/// A number from 0 to 1 that nobody foresees; the standard library seeds its hash maps with it.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let bits = std::hash::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
