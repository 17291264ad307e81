//! One probe: a connection, and a GET if the backend has a path for it, within a deadline of its own. Its answer is read as
//! those to requests are: who is not understood is not well.

use std::{io, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::{sleep, timeout},
};

use crate::{
    backend::{Address, Backend, Question},
    fault::{ANSWER_FIELDS, ANSWER_HEAD, Fault, MOST_INTERIM},
    http1::{
        Bounds,
        response::{Reader, Response},
    },
};

/// Between two tries to connect to who is busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a backend is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("its answer cannot be read: {0}")]
    Broken(Fault),
    #[error("it closes the connection without an answer")]
    Closed,
    #[error("it answers {0}")]
    Status(u16),
    #[error("it does not answer in time")]
    Late,
}

/// Probes a backend once.
pub(crate) async fn probe(backend: &Backend, deadline: Duration) -> Result<(), NotReady> {
    let probing = async {
        match &backend.address {
            Address::Tcp(address) => get(TcpStream::connect(address).await?, backend).await,
            Address::Unix(path) => get(connect(path).await?, backend).await,
        }
    };
    timeout(deadline, probing).await.unwrap_or(Err(NotReady::Late))
}

/// Connects to a unix socket. Whose queue is full is busy, not gone, and is asked again, as the kernel does it for TCP.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
            connected => return connected,
        }
    }
}

async fn get<S>(mut stream: S, backend: &Backend) -> Result<(), NotReady>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(Question { path, host }) = &backend.health else { return Ok(()) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut reader, mut bytes, mut interim) = (Reader::default(), Vec::new(), 0);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(NotReady::Closed);
        }
        while let Some(head) = read(&mut reader, &bytes)? {
            match head.status {
                100..200 if interim == MOST_INTERIM => return Err(NotReady::Broken(Fault::Interim)),
                100..200 => drop(bytes.drain(..head.length)),
                200..300 => return Ok(()),
                status => return Err(NotReady::Status(status)),
            }
            interim += 1;
            reader.reset();
        }
    }
}

fn read(reader: &mut Reader, bytes: &[u8]) -> Result<Option<Response>, NotReady> {
    let bounds = Bounds { size: ANSWER_HEAD, fields: ANSWER_FIELDS, lenient_query: false };
    reader.read(bytes, false, bounds).map_err(|refusal| NotReady::Broken(Fault::Refused(refusal)))
}
