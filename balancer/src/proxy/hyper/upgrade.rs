//! Tunnels for WebSockets and their like. One is opened only after the backend's 101 to a request that asked for it.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::proxy::upstream::InFlight;

/// Carries bytes both ways until one side is done. `in_flight` keeps the backend counted as busy meanwhile.
pub(crate) async fn tunnel(client: OnUpgrade, backend: OnUpgrade, in_flight: InFlight) {
    let Ok((client, backend)) = tokio::try_join!(client, backend) else { return };
    // A broken tunnel is an ended tunnel; both sides notice.
    drop(copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await);
    drop(in_flight);
}
