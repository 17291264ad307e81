//! The data plane: a thread per usable core, each with its own listeners, clients, connections to backends, counters
//! and log buffer. It reads the pool's snapshots and tells the pool which backends it could not reach; it knows nothing
//! about processes.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, LocalSet},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

pub(crate) use self::addresses::Addresses;
pub(crate) use self::branch::Plan;
pub(crate) use self::client::Door;
pub(crate) use self::entry::Given;
use self::{addresses::Place, client::Order, worker::Worker};
use crate::{
    access_log::AccessLogFile,
    compress::Compress,
    config::{Engine, Limits},
    limiter::Limiter,
    listener,
    metrics::{Counters, LIMIT_CONN, TRUSTED_PROXIES},
    route::Table,
    shutdown::Shutdown,
};

mod addresses;
mod answer;
pub(crate) mod memory;
mod clock;
mod client;
mod entry;
mod error;
mod switch;
mod hyper;
mod retry;
mod patience;
mod room;
mod shares;
mod turns;
mod strict;
mod upstream;
mod branch;
mod worker;
mod tries;

/// How long connections that had begun before the stop signal may take to be completed.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);

/// How many requests of a thread wait for a disk at a time; the others wait for their turn.
const DISK_THREADS: usize = 8;

/// Where a thread takes clients from.
pub(crate) struct Entrance {
    pub(crate) listener: StdListener,
    pub(crate) door: Door,
}

/// What a thread of the data plane is given.
pub(crate) struct Thread {
    pub(crate) number: usize,
    pub(crate) entrances: Vec<Entrance>,
    /// The pools; that of requests without a route is the first.
    pub(crate) plans: Vec<Plan>,
    pub(crate) routes: Option<Arc<Table>>,
    pub(crate) compress: Option<Compress>,
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// How many files its answers may have open.
    pub(crate) files: usize,
    pub(crate) given: Given,
    pub(crate) counters: Arc<Counters>,
    pub(crate) log: Option<Arc<AccessLogFile>>,
}

/// Runs one thread of the data plane until it is told to stop and its clients are done. Returns how many connections
/// were cut off at the deadline.
pub(crate) fn run(thread: Thread, shutdown: &Shutdown) -> io::Result<usize> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build()?;
    let cut = LocalSet::new().block_on(&runtime, async {
        let (worker, entrances) = Worker::new(thread);
        let worker = Rc::new(worker);
        let serving = async {
            accept_until_stopped(&worker, entrances, shutdown).await?;
            Ok(finish(&worker, shutdown).await)
        };
        let cut = tokio::select! {
            cut = serving => cut,
            () = every_second(&worker) => unreachable!("seconds do not end"),
            () = look_now_and_then(&worker) => unreachable!("time does not end"),
        };
        worker.write_log();
        cut
    });
    // A disk that does not answer keeps nobody from ending.
    runtime.shutdown_background();
    cut
}

async fn every_second(worker: &Worker) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        worker.second();
    }
}

/// Looks through the clients, as often as the shortest of their deadlines needs.
async fn look_now_and_then(worker: &Worker) {
    let mut looks = interval(worker.clock.pause());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        looks.tick().await;
        let now = Instant::now();
        worker.look(now - last);
        last = now;
    }
}

async fn accept_until_stopped(worker: &Rc<Worker>, entrances: Vec<Entrance>, shutdown: &Shutdown) -> io::Result<()> {
    let mut accepting = JoinSet::new();
    for Entrance { listener, door } in entrances {
        let door = Rc::new(door);
        let listener = TcpListener::from_std(listener)?;
        let (worker, stop) = (Rc::clone(worker), shutdown.asked.clone());
        let tasks = worker.connections.clone();
        accepting.spawn_local(tasks.track_future(async move {
            let mut next = None;
            tokio::select! {
                () = accept(&worker, &listener, &door, &mut next) => unreachable!("accepting does not end"),
                () = stop.cancelled() => {}
            }
            worker.stopping.set(true);
            listener::let_nobody_begin(&listener);
            drop(timeout(LAST_HANDSHAKES, accept(&worker, &listener, &door, &mut next)).await);
            if let Some((stream, from)) = next {
                welcome(&worker, stream, from, &door);
            }
            accept_the_queued(&worker, listener, &door);
        }));
    }
    // One that fails ends the thread at once: nobody would listen there any more.
    while let Some(ended) = accepting.join_next().await {
        ended?;
    }
    Ok(())
}

/// Accepts clients for ever. `next` is who has come and has no place yet: it outlives this.
async fn accept(
    worker: &Rc<Worker>,
    listener: &TcpListener,
    door: &Rc<Door>,
    next: &mut Option<(TcpStream, SocketAddr)>,
) {
    loop {
        if next.is_some() {
            find_room(worker).await;
        }
        if let Some((stream, from)) = next.take() {
            welcome(worker, stream, from, door);
        }
        match listener.accept().await {
            Ok(come) => *next = Some(come),
            Err(error) => {
                // Out of file descriptors or memory: those that are connected go on, the next waits a moment.
                tracing::warn!(%error, "a connection could not be accepted: {error}");
                worker.clients.make_room(worker.limits.connections);
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits for a free place. If all are taken, whoever is idle has to leave for who comes.
async fn find_room(worker: &Worker) {
    let most = worker.limits.connections;
    while worker.clients.count() >= most {
        if worker.clients.make_room(most) > 0 && !worker.crowded.replace(true) {
            tracing::warn!(
                most,
                "all {most} connections of a thread are taken; the longest idle are closed to make room: see worker_connections"
            );
        }
        worker.clients.one_leaves().await;
    }
}

/// Connections that the kernel has completed but nobody has accepted would be reset when the listener closes.
fn accept_the_queued(worker: &Rc<Worker>, listener: TcpListener, door: &Rc<Door>) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, from)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            welcome(worker, stream, from, door);
        }
    }
}

fn welcome(worker: &Rc<Worker>, stream: TcpStream, from: SocketAddr, door: &Rc<Door>) {
    worker.counters.connections.add_one();
    // Whoever is introduced later takes a place then; only those that are believed may do that.
    let place = if door.introduced { None } else { worker.addresses.admit(from.ip()) };
    let is_listed = door.introduced && door.trust.has(from.ip());
    if place.is_none() && !is_listed {
        worker.counters.refused.add(if door.introduced { TRUSTED_PROXIES } else { LIMIT_CONN });
        worker.counters.closed.add_one();
        if door.introduced {
            let (client, listen) = (from.ip().to_canonical(), door.address);
            tracing::warn!(%client, %listen, "{client} is no listed proxy and may not introduce clients at {listen}: it is closed; list it in trusted_proxies if it is yours");
        }
        return;
    }
    let open = Open { _place: place, counters: Arc::clone(&worker.counters) };
    let (tasks, worker, door) = (&worker.connections, Rc::clone(worker), Rc::clone(door));
    // What is awaited is made inside: an argument would be there twice, in each connection.
    match worker.engine {
        Engine::Strict => tasks.spawn_local(async move {
            let _open = open;
            strict::serve(worker, stream, from.ip(), door).await;
        }),
        Engine::Hyper => tasks.spawn_local(async move {
            let _open = open;
            hyper::serve(worker, stream, from.ip(), door).await;
        }),
    };
}

/// A connection that has been accepted, for as long as it is open.
struct Open {
    _place: Option<Place>,
    counters: Arc<Counters>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counters.closed.add_one();
    }
}

/// After the stop signal: answers what is under way, gives idle clients a moment for one more request (it may be on its
/// way already, and would be lost if the connection closed under it), then closes. Returns how many had to be cut off.
async fn finish(worker: &Worker, shutdown: &Shutdown) -> usize {
    worker.connections.close();
    // Those that have many requests at a time are told at once that there shall be no more.
    worker.clients.ring();
    let ending = async {
        if timeout(worker.limits.linger, worker.connections.wait()).await.is_err() {
            worker.clients.order(Order::Close);
            worker.streams.order(Order::Close);
            worker.connections.wait().await;
        }
    };
    tokio::select! {
        () = ending => {}
        () = sleep(worker.limits.stop_deadline) => {}
        () = shutdown.forced.cancelled() => {}
    }
    let cut = worker.clients.count();
    worker.clients.order(Order::Abort);
    worker.streams.order(Order::Abort);
    worker.connections.wait().await;
    worker.hang_up();
    cut
}
