//! The other engine: the hyper library speaks HTTP. One client connection; orders of its thread end it.

use std::{convert::Infallible, future::poll_fn, net::IpAddr, pin::pin, rc::Rc, sync::Arc};

use hyper::{
    Version,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use self::{
    forward::forward,
    version::{Line, Spoken},
};
use super::{
    client::{Client, Door, Order},
    error::ProxyError,
    worker::Worker,
};
use crate::access_log::Asked;

mod headers;
mod version;
mod upgrade;
pub(super) mod body;
mod failure;
mod forward;

/// Serves one client until it or we have had enough.
pub(crate) async fn serve(worker: Rc<Worker>, stream: TcpStream, address: IpAddr, door: Rc<Door>) {
    let guest = worker.clients.welcome(address, &door);
    let protocol = protocol(&worker);
    let client = Rc::clone(&guest.client);
    let line = Arc::<Line>::default();
    let service = service_fn(|request| {
        let (worker, client, line) = (Rc::clone(&worker), Rc::clone(&client), Arc::clone(&line));
        async move {
            let version = request.version();
            let mut response = forward(worker, client, request).await;
            if version == Version::HTTP_10 {
                // A proxy does not keep connections of HTTP/1.0 (RFC 9112, C.2.2).
                *response.version_mut() = version;
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                line.begins_old().await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let stream = TokioIo::new(Spoken::new(stream, &line));
    let mut connection = pin!(protocol.serve_connection(stream, service).with_upgrades());
    loop {
        tokio::select! {
            biased;
            // What went wrong on the client's side is the client's; requests it cut off are in the access log.
            ended = connection.as_mut() => {
                if let Err(error) = ended && error.is_parse() {
                    note_unread(&worker, &guest.client, &error);
                }
                return;
            }
            order = poll_fn(|cx| guest.client.poll_order(cx)) => match order {
                Order::Look => {}
                Order::Close => connection.as_mut().graceful_shutdown(),
                Order::Abort => return,
            },
        }
    }
}

/// A head that is no HTTP, or too large, is answered by hyper before there is a request to speak of.
fn note_unread(worker: &Worker, client: &Client, error: &hyper::Error) {
    let why = ProxyError::BadRequest("the library cannot read it");
    let error = if error.is_parse_too_large() { ProxyError::HeadTooLarge } else { why };
    worker.note_unread(client, &Asked::unread(b"", None), error, 0, &[]);
}

/// How HTTP is read from clients.
fn protocol(worker: &Worker) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol.max_headers(worker.limits.head_fields).max_header_size(worker.limits.head_size);
    protocol
}
