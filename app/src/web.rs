//! The web app: `router(app)` is everything that is answered, `serve(listener, …)` one address it is answered at.

use std::{convert::Infallible, io, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, http::header::EXPECT, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::sleep,
};
use tower::ServiceExt;

use self::rest::Rest;
use crate::shutdown::Shutdown;

pub mod assets;
pub mod figures;
pub mod marked;
pub mod chart;
pub mod state;
pub mod error;
pub mod query;
pub mod selection;
pub mod render;
mod rest;
pub mod receive;
pub mod api;
pub mod pages;
pub mod probes;
pub mod layers;
pub mod routes;

pub use state::App;

/// Connections of one listener; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;

/// How long a client may take to send the head of a request, or nothing between two.
const HEAD: Duration = Duration::from_secs(75);

/// After a failed accept (no file descriptors left), before the next.
const PAUSE: Duration = Duration::from_millis(50);

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket, removed from the file system at the end.
    Unix(UnixListener, PathBuf),
}

/// Everything that is answered.
pub fn router(app: &App) -> Router {
    layers::dress(routes::all(), app).with_state(app.clone())
}

/// Answers at one listener until the shutdown; then finishes what was begun.
pub async fn serve(listener: Listener, router: Router, shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = shutdown.begun() => break,
        };
        match accepted {
            Ok(stream) => {
                let (router, ending) = (router.clone(), shutdown.clone());
                shutdown.spawn(async move {
                    connection(stream, router, ending).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
    if let Listener::Unix(_, path) = &listener
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove the socket {}", path.display());
    }
}

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn accept(listener: &Listener) -> io::Result<Box<dyn Stream>> {
    match listener {
        Listener::Tcp(tcp) => {
            let (stream, _) = tcp.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Listener::Unix(unix, _) => Ok(Box::new(unix.accept().await?.0)),
    }
}

async fn connection(stream: Box<dyn Stream>, router: Router, shutdown: Shutdown) {
    let ending = shutdown.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let expects = request.headers().contains_key(EXPECT);
        answer(router.clone(), request.map(|body| Body::new(Rest::new(body, expects, ending.clone()))))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended: {error}");
    }
}

async fn answer(router: Router, request: Request) -> Result<Response, Infallible> {
    router.oneshot(request).await
}
