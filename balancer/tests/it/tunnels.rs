use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
    time::Duration,
};

use tokio_rustls::rustls;

use crate::{
    harness::{Balancer, Connection, PATIENCE, eventually, read_head},
    metrics::{address, page, value},
    tls::{Authority, Client, speaking},
    upstream::{Peer, Upstream},
};

const ASKING: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n";

/// A backend that agrees to a tunnel, says something with that, and goes on once it has heard four bytes.
fn tunnelling(then: impl Fn(&mut Peer) + Send + Sync + 'static) -> Upstream {
    Upstream::scripted(move |_, peer| {
        peer.get_mut().write_all(format!("{AGREED}hello").as_bytes()).unwrap();
        drop(peer.read_exact(&mut [0; 4]));
        then(peer);
        false
    })
}

/// Has its connection end in a reset.
fn breaks_off(peer: &mut Peer) {
    socket2::SockRef::from(peer.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A client in a tunnel that has heard what there is to hear.
fn inside(balancer: &Balancer) -> Connection {
    let mut client = balancer.connect();
    client.send(ASKING);
    assert_eq!(client.answer().status, 101);
    client.0.read_exact(&mut [0; 5]).unwrap();
    client
}

/// The line about the tunnel, once the balancer has ended.
fn line(balancer: &mut Balancer, log: &tempfile::NamedTempFile) -> String {
    assert_eq!(balancer.stop(), Some(0));
    std::fs::read_to_string(log.path()).unwrap()
}

#[test]
fn what_comes_with_the_first_words_is_counted_like_the_rest() {
    let upstream = tunnelling(|peer| peer.get_mut().write_all(b"bye").unwrap());
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = ["--threads", "1", "--metrics-listen", "127.0.0.1:0", "--access-log", log.path().to_str().unwrap()];
    let mut balancer = Balancer::with(&[upstream.address], &more);
    let mut client = balancer.connect();
    client.send(format!("{ASKING}on"));
    read_head(&mut client.0).unwrap();
    client.0.read_exact(&mut [0; 5]).unwrap();
    client.send("ce");
    client.0.read_exact(&mut [0; 3]).unwrap();
    assert!(client.is_closed());
    drop(client);
    let counted = |name: &str, bytes: &str| {
        eventually(name, || (value(&page(address(&balancer)), name)? == bytes).then_some(()));
    };
    counted("logkin_balancer_response_body_bytes_total", "8");
    counted("logkin_balancer_request_body_bytes_total", "4");
    let line = line(&mut balancer, &log);
    assert!(line.contains("\"GET /ws HTTP/1.1\" 101 8 ") && !line.contains("flag="), "{line}");
}

#[test]
fn a_client_whose_backend_breaks_off_is_told_by_the_same() {
    let upstream = tunnelling(breaks_off);
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = ["--threads", "1", "--access-log", log.path().to_str().unwrap()];
    let mut balancer = Balancer::with(&[upstream.address], &more);
    let mut client = inside(&balancer);
    client.send("more");
    assert_eq!(client.0.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let line = line(&mut balancer, &log);
    assert!(line.contains(&format!(" flag=cut by=backend at={} ", upstream.address)), "{line}");
}

#[test]
fn over_tls_too_it_is_not_told_that_this_was_the_end() {
    let authority = Authority::new();
    let own = authority.sign("own", &["localhost"]);
    for (then, is_end) in [(breaks_off as fn(&mut Peer), false), ((|_| ()) as fn(&mut Peer), true)] {
        let upstream = tunnelling(then);
        let balancer = speaking(&upstream, &[&own], &[]);
        let mut client = Client::to(balancer.tls, "localhost", Arc::new(authority.client(rustls::ALL_VERSIONS)));
        client.0.get_mut().write_all(ASKING.as_bytes()).unwrap();
        read_head(&mut client.0).unwrap();
        client.0.read_exact(&mut [0; 5]).unwrap();
        client.0.get_mut().write_all(b"more").unwrap();
        assert_eq!(client.0.read(&mut [0]).is_ok_and(|read| read == 0), is_end);
    }
}

#[test]
fn a_backend_whose_client_breaks_off_is_told_by_the_same() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = tunnelling(move |peer| tell.send(peer.read(&mut [0]).map_err(|error| error.kind())).unwrap());
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = ["--threads", "1", "--access-log", log.path().to_str().unwrap()];
    let mut balancer = Balancer::with(&[upstream.address], &more);
    let mut client = inside(&balancer);
    client.send("more");
    eventually("it is read", || client.is_read().then_some(()));
    client.reset();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Err(ErrorKind::ConnectionReset));
    let line = line(&mut balancer, &log);
    assert!(line.contains(" flag=cut by=client "), "{line}");
}

#[test]
fn what_a_client_has_sent_arrives_though_it_does_not_say_in_words_of_tls_that_it_ends() {
    const LENGTH: usize = 3_000_000;
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let (go, gone) = std::sync::mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = tunnelling(move |peer| {
        // Not before the client has gone.
        gone.lock().unwrap().recv().unwrap();
        let mut taken = Vec::new();
        tell.send(peer.read_to_end(&mut taken).map(|_| taken.len()).map_err(|error| error.kind())).unwrap();
    });
    let (authority, log) = (Authority::new(), tempfile::NamedTempFile::new().unwrap());
    let own = authority.sign("own", &["localhost"]);
    let mut balancer = speaking(&upstream, &[&own], &["--access-log", log.path().to_str().unwrap()]);
    let mut client = Client::to(balancer.tls, "localhost", Arc::new(authority.client(rustls::ALL_VERSIONS)));
    client.0.get_mut().write_all(ASKING.as_bytes()).unwrap();
    read_head(&mut client.0).unwrap();
    client.0.read_exact(&mut [0; 5]).unwrap();
    client.0.get_mut().write_all(b"more").unwrap();
    let writing = std::thread::spawn(move || {
        client.0.get_mut().write_all(&vec![b'x'; LENGTH]).unwrap();
        client.0.get_mut().flush().unwrap();
        client.0.get_ref().sock.shutdown(std::net::Shutdown::Write).unwrap();
        client
    });
    go.send(()).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(LENGTH));
    drop(writing.join().unwrap());
    let line = line(&mut balancer, &log);
    assert!(line.contains(" 101 ") && !line.contains("flag="), "{line}");
}

#[test]
fn who_breaks_off_behind_what_is_not_taken_is_noticed() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = tunnelling(move |peer| {
        // Reads nothing, and ends when the balancer does.
        let mut ends = [rustix::event::PollFd::new(peer.get_ref(), rustix::event::PollFlags::RDHUP)];
        rustix::event::poll(&mut ends, None).unwrap();
        tell.send(()).unwrap();
    });
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = ["--threads", "1", "--access-log", log.path().to_str().unwrap()];
    let mut balancer = Balancer::with(&[upstream.address], &more);
    let mut client = inside(&balancer);
    client.send("more");
    client.0.get_ref().set_nonblocking(true).unwrap();
    let mut idle = 0;
    eventually("nothing more is taken", || {
        let taken = client.0.get_mut().write(&[b'x'; 100_000]).is_ok();
        idle = if taken { 0 } else { idle + 1 };
        (idle == 30).then_some(())
    });
    client.reset();
    told.recv_timeout(PATIENCE).unwrap();
    let line = line(&mut balancer, &log);
    assert!(line.contains(" flag=cut by=client "), "{line}");
}
