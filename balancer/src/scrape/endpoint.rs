//! Where the page of metrics is read: an address of its own, `GET /metrics`. It runs beside the data plane, has few
//! clients at a time, and a deadline for each: it shall take no descriptors from those whom the balancer is there for.

use std::{convert::Infallible, io, net::TcpListener as StdListener, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Sources;
use crate::descriptors;

/// Clients at a time, where there are descriptors for them; more wait in the kernel.
const MOST_CLIENTS: usize = 16;
/// Longest time that one says nothing: between two readings it may be away for good, and others wait for its place.
pub(crate) const IDLE: Duration = Duration::from_secs(3);
/// Longest time for a client, however many requests it has.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Clients at a time.
pub(crate) fn most_clients() -> usize {
    descriptors::for_readers(MOST_CLIENTS)
}

/// Answers until it is told to stop.
pub(crate) async fn serve(listener: StdListener, sources: Sources, stop: CancellationToken, tasks: TaskTracker) {
    drop(stop.clone().run_until_cancelled(accept(listener, Arc::new(sources), stop, tasks)).await);
}

async fn accept(
    listener: StdListener,
    sources: Arc<Sources>,
    stop: CancellationToken,
    tasks: TaskTracker,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "the metrics are at http://{address}/metrics");
    let places = Arc::new(Semaphore::new(most_clients()));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, _)) => {
                let (sources, stop) = (Arc::clone(&sources), stop.clone());
                tasks.spawn(async move {
                    let _place = place;
                    let _ = stop.run_until_cancelled(timeout(DEADLINE, answer(stream, sources))).await;
                });
            }
            // Out of descriptors: those that are connected go on, the next waits a moment.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn answer(stream: TcpStream, sources: Arc<Sources>) {
    let service = service_fn(|request| {
        let response = respond(&request, &sources);
        async move { Ok::<_, Infallible>(response) }
    });
    // A client that breaks off has had enough.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    drop(http.serve_connection(TokioIo::new(stream), service).await);
}

fn respond(request: &Request<Incoming>, sources: &Sources) -> Response<Text> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", sources.page())
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET is all there is\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "text/plain", "the metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Text(Some(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// A body that is there.
struct Text(Option<Bytes>);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.take().map(|text| Ok(Frame::data(text))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |text| text.len() as u64))
    }
}
