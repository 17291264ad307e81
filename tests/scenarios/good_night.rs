use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use e2e::{Service, children_of, sample_file, until};

/// What a client got for an upload it had begun when the service was told to stop.
fn finish(mut stream: TcpStream, rest: &[u8]) -> String {
    let mut answer = String::new();
    let sent = stream.write_all(rest).and_then(|()| stream.read_to_string(&mut answer));
    answer.lines().next().map_or_else(|| format!("no answer: {sent:?}"), str::to_owned)
}

/// Begins an upload: the head and half of the body are with the service.
fn begin(address: SocketAddr, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/v1/reports?name=evening.log HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nexpect: 100-continue\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The interim answer is the proof that somebody has accepted this request.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n", "{}", String::from_utf8_lossy(&interim));
    stream.write_all(&body[..body.len() / 2]).unwrap();
    stream
}

/// One GET on a connection of its own: answered in full, refused, or cut in the middle.
fn ask(address: SocketAddr) -> Result<(), &'static str> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Err("refused") };
    let mut answer = Vec::new();
    let sent = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let read = sent.and_then(|()| stream.read_to_end(&mut answer));
    match (read.is_ok() && is_whole(&answer), answer.is_empty()) {
        (true, _) => Ok(()),
        // The listener was closed before anybody accepted the connection.
        (false, true) => Err("refused"),
        (false, false) => Err("cut in the middle"),
    }
}

/// Whether an answer has as many bytes as it says, or its last chunk.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let stated = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    stated.map_or_else(|| body.ends_with("0\r\n\r\n"), |length: usize| body.len() == length)
}

#[test]
fn told_to_stop_under_load_it_answers_what_it_has_accepted_and_leaves_nothing_behind() {
    let text = sample_file("warehouse.log").text();
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::up(3).data(folder.path()).start();
    let address: SocketAddr = service.url().trim_start_matches("http://").parse().unwrap();
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let uploads: Vec<TcpStream> = (0..6).map(|_| begin(address, &text)).collect();
    let below = service.instances();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask_until_refused(address, &answered, &stop))).collect();
        until("the load runs", || (answered.load(Ordering::Relaxed) > 100).then_some(()));
        service.process().terminate();
        for upload in uploads {
            assert!(finish(upload, &text[text.len() / 2..]).contains(" 202 "));
        }
        let status = service.process().wait();
        stop.store(true, Ordering::Relaxed);
        assert!(status.success(), "{status}");
        assert!(clients.into_iter().all(|client| client.join().unwrap() == "refused"));
    });
    for pid in below {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "instance {pid} is still there");
    }
    let again = Service::up(1).data(folder.path()).start();
    let reports = again.api().get("/api/v1/reports").json();
    assert_eq!(reports["total"], 6, "what was answered with 202 is there after the night: {reports}");
}

fn ask_until_refused(address: SocketAddr, answered: &AtomicUsize, stop: &AtomicBool) -> &'static str {
    while !stop.load(Ordering::Relaxed) {
        match ask(address) {
            Ok(()) => _ = answered.fetch_add(1, Ordering::Relaxed),
            Err(why) => return why,
        }
    }
    "refused"
}

#[test]
fn an_idle_service_ends_at_once_and_takes_its_instances_along() {
    let mut service = Service::up(2).start();
    let (pid, below) = (service.process().pid(), service.instances());
    assert_eq!(below.len(), 2);
    service.stop();
    assert_eq!(children_of(pid), Vec::<u32>::new());
    assert!(below.into_iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
}
