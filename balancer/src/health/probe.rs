//! One probe: a connection, and a GET if the backend has a path for it, within a deadline of its own.

use std::{io, time::Duration};

use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::backend::{Address, Backend};

/// Why a backend is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("it does not speak HTTP: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it does not answer in time")]
    Late,
}

/// Probes a backend once.
pub(crate) async fn probe(backend: &Backend, deadline: Duration) -> Result<(), NotReady> {
    let probing = async {
        match &backend.address {
            Address::Tcp(address) => get(TcpStream::connect(address).await?, backend).await,
            Address::Unix(path) => get(UnixStream::connect(path).await?, backend).await,
        }
    };
    timeout(deadline, probing).await.unwrap_or(Err(NotReady::Late))
}

async fn get<S>(stream: S, backend: &Backend) -> Result<(), NotReady>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(path) = &backend.health_path else { return Ok(()) };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(header::HOST, "localhost").header(header::CONNECTION, "close");
    let request = request.body(String::new()).expect("the path was checked with the configuration");
    // How the connection ends shows in the response.
    let driving = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    let response = tokio::select! {
        response = sender.send_request(request) => response?,
        () = driving => return Err(NotReady::Late),
    };
    if response.status().is_success() { Ok(()) } else { Err(NotReady::Status(response.status())) }
}
