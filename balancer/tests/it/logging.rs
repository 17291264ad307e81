use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
};

use rustix::process::Signal;

use crate::{
    harness::{Balancer, eventually, field},
    metrics::{address, page, value},
    upstream::Upstream,
};

#[test]
fn the_access_log_is_opened_anew_on_request() {
    let (upstream, folder) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    let [log, old] = ["access.log", "access.log.1"].map(|name| folder.path().join(name));
    let mut balancer = Balancer::with(&[upstream.address], &["--access-log", log.to_str().unwrap()]);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    balancer.get("/first");
    eventually("the line is written", || read(&log).contains("/first").then_some(()));
    std::fs::rename(&log, &old).unwrap();
    balancer.signal(Signal::USR1);
    eventually("there is a new file", || log.exists().then_some(()));
    // It has its name a moment before it is written to.
    eventually("it is said", || balancer.log().contains("is opened anew").then_some(()));
    balancer.get("/second");
    assert_eq!(balancer.stop(), Some(0));
    assert!(read(&log).contains("/second") && !read(&old).contains("/second"), "{}", read(&old));
}

#[test]
fn where_nobody_reads_its_lines_any_more_they_are_lost_and_nothing_else_happens() {
    let upstream = Upstream::saying("hi");
    let address = upstream.address.to_string();
    let more = ["--backend", &address, "--access-log", "/dev/stdout", "--threads", "1"];
    let mut balancer = Balancer::unheard(&more);
    let mut client = balancer.connect();
    // More lines than a thread gathers before it writes.
    for _ in 0..1000 {
        assert_eq!(client.get("/").text(), "hi");
    }
    balancer.signal(Signal::USR2);
    assert_eq!(balancer.get("/").text(), "hi", "there is still somebody who listens");
    assert_eq!(balancer.stop(), Some(0));
}

/// A named pipe in a folder, and a balancer of one thread whose access log it is.
fn piped(upstream: &Upstream, more: &[&str]) -> (Balancer, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let flags = ["--threads", "1", "--access-log", pipe.to_str().unwrap()];
    (Balancer::with(&[upstream.address], &[&flags[..], more].concat()), pipe, folder)
}

#[test]
fn a_pipe_that_nobody_reads_holds_nothing_up_and_its_lines_are_counted() {
    let upstream = Upstream::saying("hi");
    let (mut balancer, pipe, _folder) = piped(&upstream, &["--metrics-listen", "127.0.0.1:0"]);
    // It reads so much that the pipe is open at both ends, and no more.
    let mut reader = BufReader::with_capacity(1, File::open(&pipe).unwrap());
    let mut client = balancer.connect();
    let long = "a".repeat(2000);
    let metrics = address(&balancer);
    let lost = || value(&page(metrics), "logkin_balancer_access_log_lines_lost_total") != Some("0");
    // Far more than pipe and queue take.
    for number in 0..5000 {
        client
            .send(format!("GET /{number}?{long} HTTP/1.1\r\nHost: a\r\nReferer: {long}\r\nUser-Agent: {long}\r\n\r\n"));
        assert_eq!(client.answer().text(), "hi");
        if number % 100 == 0 && lost() {
            break;
        }
    }
    assert!(lost());
    balancer.signal(Signal::USR1);
    eventually("it is kept", || balancer.log().contains("is no file, and is not opened anew").then_some(()));
    let reading = std::thread::spawn(move || reader.by_ref().lines().map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(balancer.stop(), Some(0));
    let lines = reading.join().unwrap();
    assert!(lines[0].contains("GET /0?a"), "{}", lines[0]);
    let is_whole = |line: &String| line.starts_with("127.0.0.1 - - [") && line.contains(" id=");
    assert!(lines.iter().all(is_whole), "{:?}", lines.iter().find(|line| !is_whole(line)));
}

#[test]
fn a_pipe_that_nobody_reads_yet_gets_its_lines_later() {
    let upstream = Upstream::saying("hi");
    let (mut balancer, pipe, _folder) = piped(&upstream, &[]);
    assert_eq!(balancer.get("/first").text(), "hi");
    let reading = std::thread::spawn(|| std::fs::read_to_string(pipe).unwrap());
    assert_eq!(balancer.get("/second").text(), "hi");
    assert_eq!(balancer.stop(), Some(0));
    let lines = reading.join().unwrap();
    assert!(lines.contains("/first") && lines.contains("/second"), "{lines}");
}

#[test]
fn a_line_has_the_form_of_the_file_and_nobody_forges_one() {
    let (upstream, folder) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    let [log, file] = ["access.log", "balancer.toml"].map(|name| folder.path().join(name));
    let form = "$remote_addr|$request|$status|$http_user_agent|$request_id";
    let text = format!(
        "access_log_format = '{form}'\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(&file, text).unwrap();
    let flags = ["--config", file.to_str().unwrap(), "--access-log", log.to_str().unwrap()];
    let mut balancer = Balancer::run(&flags);
    let mut client = balancer.connect();
    client.send(b"GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: x\" 200\\ y\r\n\r\n");
    let answer = client.answer();
    assert_eq!(balancer.stop(), Some(0));
    let id = answer.field("x-request-id").unwrap();
    let expected = format!("127.0.0.1|GET /a HTTP/1.1|200|x\\x22 200\\x5C y|{id}\n");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
}

/// A balancer that writes its log in this form, and the log.
fn logging(form: &str, rest: &str) -> (Balancer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (folder.path().join("access.log"), folder.path().join("balancer.toml"));
    let head = format!("worker_threads = 1\naccess_log = \"{}\"\naccess_log_format = '{form}'\n", log.display());
    std::fs::write(&file, format!("{head}[[listen]]\naddress = \"127.0.0.1:0\"\n{rest}")).unwrap();
    (Balancer::run(&["--config", file.to_str().unwrap()]), folder)
}

fn lines(mut balancer: Balancer, folder: &tempfile::TempDir) -> String {
    assert_eq!(balancer.stop(), Some(0));
    std::fs::read_to_string(folder.path().join("access.log")).unwrap()
}

#[test]
fn a_line_tells_the_first_line_of_a_head_that_could_not_be_read() {
    let upstream = Upstream::saying("hi");
    let (balancer, folder) = logging(
        "$request_method $request_uri $status $flag $sent_http_content_type",
        &format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address),
    );
    let long = "x".repeat(9000);
    for head in [
        "GET /?a[]=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA : \"b\r\n\r\n",
        "\u{1}\"|200\r\n\r\n",
        &format!("GET /{long} HTTP/1.1\r\n\r\n"),
    ] {
        let mut client = balancer.connect();
        client.send(head);
        assert_eq!(client.answer().status, 400);
    }
    let lines = lines(balancer, &folder).replace("text/plain; charset=utf-8", "KIND");
    let expected =
        "GET /?a[]=1 400 bad_request KIND\nGET / 400 bad_request KIND\n\\x01\\x22|200 - 400 bad_request KIND\nGET /xxx";
    assert!(
        lines.starts_with(expected) && lines.ends_with("x 400 bad_request KIND\n") && lines.len() < 1000,
        "{lines}"
    );
}

#[test]
fn fields_of_requests_and_answers_are_told_as_they_went() {
    let upstream = Upstream::scripted(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\nX-Kind: a\"b\r\nContent-Length: 0\r\n\r\n";
        std::io::Write::write_all(peer.get_mut(), head.as_bytes()).is_ok()
    });
    let form = "$http_x_mine|$host|$sent_http_x_kind|$sent_http_x_added|$sent_http_retry_after|$request_method";
    let edits = "[[route]]\nserver_name = [\"shop.example\"]\n[route.response_headers]\nset = { X-Added = \"yes\" }\n";
    let pool = format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let (balancer, folder) = logging(form, &format!("{pool}{edits}"));
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\nX-Mine: 7\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(balancer.get("/").status, 421);
    assert_eq!(lines(balancer, &folder), "7|shop.example|a\\x22b|yes|-|GET\n-|test|-|-|-|GET\n");
}

#[test]
fn a_field_is_told_as_routes_have_it() {
    let upstream = Upstream::echoing();
    let edits = "[[route]]\n[route.request_headers]\nset = { X-Who = \"$http_x_user\" }\n";
    let pool = format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let (balancer, folder) = logging("$http_x_user", &format!("{pool}{edits}"));
    let mut client = balancer.connect();
    for (fields, who) in [("X_User: evil\r\nX-User: good", Some("good")), ("X_User: evil", None)] {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(field(client.answer().text(), "x-who"), who);
    }
    assert_eq!(lines(balancer, &folder), "good\n-\n");
}

#[test]
fn json_tells_the_host_too() {
    let upstream = Upstream::saying("hi");
    let (balancer, folder) = logging("json", &format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address));
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: Shop.example:8001\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send("GET http://[::A]:8001/ HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let lines = lines(balancer, &folder);
    assert!(lines.contains("\"status\":200,") && lines.contains("\"host\":\"shop.example\"}\n"), "{lines}");
    assert!(lines.ends_with("\"host\":\"[::a]\"}\n"), "the target's wins: {lines}");
}

#[test]
fn heads_of_files_of_compressed_answers_and_of_questions_are_told_as_they_went() {
    let upstream = Upstream::scripted(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2000\r\n\r\n";
        std::io::Write::write_all(peer.get_mut(), [head.as_bytes(), &[b'x'; 2000]].concat().as_slice()).is_ok()
    });
    let site = tempfile::tempdir().unwrap();
    std::fs::write(site.path().join("a.txt"), "0123456789").unwrap();
    let form = "$request_method $status|$sent_http_content_encoding|$sent_http_content_length|$chosen|$sent_http_allow|$sent_http_access_control_allow_origin";
    let pool = format!("[[pool.server]]\naddress = \"{}\"\n[[route]]\ncompress = true\n", upstream.address);
    let cors = "[route.cors]\nallow_origin = [\"https://a.example\"]\n";
    let files = format!("[[route]]\nlocation = \"/files/\"\nalias = \"{}\"\n{cors}", site.path().display());
    let (balancer, folder) = logging(form, &format!("{pool}{files}"));
    let mut client = balancer.connect();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n", 200),
        ("GET /files/a.txt HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        ("PUT /files/a.txt HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (
            "OPTIONS /files/ HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n",
            204,
        ),
    ] {
        client.send(request);
        assert_eq!(client.answer().status, status, "{request}");
    }
    let expected = "GET 200|gzip|-|turn|-|-\nGET 200|-|10|-|-|-\nPUT 405|-|60|-|GET, HEAD|-\nOPTIONS 204|-|-|-|-|https://a.example\n";
    assert_eq!(lines(balancer, &folder), expected);
}

#[test]
fn each_backend_that_was_asked_is_told_with_its_status_and_times() {
    let (gone, good) = (crate::upstream::nobody(), Upstream::saying("hi"));
    let servers = format!(
        "[[pool.server]]\naddress = \"{gone}\"\n[[pool.server]]\naddress = \"{}\"\nbackup = true\n",
        good.address
    );
    let form = "$upstream_addr;$upstream_status;$upstream_response_time;$chosen;$queue_time;$retries;\
                $upstream_connect_time;$upstream_header_time";
    let (balancer, folder) = logging(form, &servers);
    assert_eq!(balancer.get("/").text(), "hi");
    let line = lines(balancer, &folder);
    let columns: Vec<&str> = line.trim().split(';').collect();
    assert_eq!(columns[..2], [format!("{gone}, {}", good.address), "502, 200".to_owned()]);
    let times: Vec<f64> = columns[2].split(", ").map(|time| time.parse().unwrap()).collect();
    assert_eq!((times.len(), columns[3], columns[4], columns[5]), (2, "backup", "0.000", "connect"));
    // There was neither a connection nor an answer of the first.
    let steps = [6, 7].map(|column| columns[column].strip_prefix("-, ").unwrap().parse::<f64>().unwrap());
    assert!(steps[0] <= steps[1] && steps[1] <= times[1], "{line}");
}

#[test]
fn half_a_head_leaves_a_line_and_none_leaves_no_line() {
    let rest = "[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (folder.path().join("access.log"), folder.path().join("balancer.toml"));
    let head = format!("client_header_timeout = \"1s\"\naccess_log = \"{}\"\n", log.display());
    std::fs::write(&file, format!("{head}[[listen]]\naddress = \"127.0.0.1:0\"\n{rest}")).unwrap();
    let balancer = Balancer::run(&["--config", file.to_str().unwrap()]);
    let (mut half, mut silent) = (balancer.connect(), balancer.connect());
    half.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-");
    assert_eq!(half.answer().status, 408);
    assert!(silent.is_closed());
    let written = lines(balancer, &folder);
    assert!(
        written.contains("\"GET /slow HTTP/1.1\" 408 ") && written.contains("flag=head_late by=client"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 1, "{written}");
}

#[test]
fn half_a_head_at_a_stop_is_answered_and_leaves_a_line() {
    let (mut balancer, folder) = logging("$request $status $flag $by", "[[pool.server]]\naddress = \"127.0.0.1:1\"\n");
    let (mut half, mut silent) = (balancer.connect(), balancer.connect());
    half.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-");
    eventually("it is read", || half.is_read().then_some(()));
    balancer.signal(Signal::TERM);
    assert!(silent.is_closed());
    // Takes five seconds.
    let answer = half.answer();
    assert_eq!((answer.status, answer.field("connection")), (408, Some("close")));
    assert_eq!(balancer.end().code(), Some(0));
    let line = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert_eq!(line, "GET /slow HTTP/1.1 408 head_late client\n");
}

#[test]
fn no_status_is_told_of_a_backend_that_gave_none_and_could_not() {
    let upstream = Upstream::scripted(|_, _| true);
    let pool = format!("[pool]\nread_timeout = \"1s\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let (balancer, folder) = logging("$status $upstream_status $upstream_response_time", &pool);
    let mut client = balancer.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000)));
    eventually("it is there", || (upstream.requests() == 1).then_some(()));
    // Takes a second.
    assert_eq!(balancer.get("/").status, 504);
    drop(client);
    eventually("both have ended", || {
        (std::fs::read_to_string(folder.path().join("access.log")).unwrap().lines().count() == 2).then_some(())
    });
    let lines = lines(balancer, &folder);
    let rest = lines.lines().find_map(|line| line.strip_prefix("499 - ")).unwrap_or_else(|| panic!("{lines}"));
    assert!(rest.parse::<f64>().unwrap() > 0.5 && lines.starts_with("504 504 1."), "{lines}");
}

#[test]
fn who_broke_it_off_is_told() {
    let upstream = Upstream::scripted(|head, peer| {
        let stream = peer.get_mut();
        std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nbegun").unwrap();
        // Breaks it off itself, or waits until the balancer does.
        !head.starts_with("GET /backend") && std::io::Read::read(peer, &mut [0]).is_ok_and(|read| read > 0)
    });
    let pool = format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let (balancer, folder) = logging("$request_uri $flag $by", &pool);
    let mut client = balancer.connect();
    client.send("GET /backend HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_answer(false).is_err());
    let mut client = balancer.connect();
    client.send("GET /client HTTP/1.1\r\nHost: a\r\n\r\n");
    crate::harness::read_head(&mut client.0).unwrap();
    drop(client);
    eventually("the balancer has let go of it", || upstream.is_left().then_some(()));
    assert_eq!(lines(balancer, &folder), "/backend cut backend\n/client cut client\n");
}

#[test]
fn the_error_log_is_a_file_from_its_level_on_and_is_opened_anew() {
    let (upstream, folder) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    let [log, old] = ["balancer.log", "balancer.log.1"].map(|name| folder.path().join(name));
    let with_level = |level: &str| {
        let (file, address) = (folder.path().join("balancer.toml"), upstream.address);
        let text = format!(
            "error_log = \"{}\"\nerror_log_level = \"{level}\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n\
             [[pool.server]]\naddress = \"{address}\"\n",
            log.display()
        );
        std::fs::write(&file, text).unwrap();
        Balancer::run(&["--config", file.to_str().unwrap()])
    };
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut balancer = with_level("warn");
    assert_eq!((balancer.stop(), read(&log).as_str(), balancer.log().as_str()), (Some(0), "", ""));
    let mut balancer = with_level("info");
    eventually("it says something", || read(&log).contains("gets requests").then_some(()));
    std::fs::rename(&log, &old).unwrap();
    balancer.signal(Signal::USR1);
    eventually("there is a new file with a line", || read(&log).contains("is opened anew").then_some(()));
    assert_eq!((balancer.stop(), balancer.log().as_str()), (Some(0), ""));
}

#[test]
fn the_log_says_in_which_of_several_pools_a_backend_is_and_which_is_down() {
    let (upstream, gone) = (Upstream::saying("hi"), crate::upstream::nobody());
    let pool = |name: &str, server: &str| format!("[[pool]]\nname = \"{name}\"\n[[pool.server]]\naddress = {server}\n");
    let shop =
        pool("shop", &format!("\"{}\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\ndown = true", upstream.address));
    let site = pool("site", &format!("\"{gone}\""));
    let routes = "[[route]]\npool = \"shop\"\n[[route]]\nlocation = \"/site\"\npool = \"site\"\n";
    let balancer = Balancer::with_file(&format!("{shop}{site}{routes}"));
    assert_eq!((balancer.get("/").text(), balancer.get("/site").status), ("hi", 502));
    let log = balancer.log();
    for expected in [
        format!("INFO {} of pool shop gets requests pool=\"shop\"", upstream.address),
        "INFO 127.0.0.1:1 of pool shop is down by the configuration and gets nothing pool=\"shop\"".to_owned(),
        format!("WARN {gone} of pool site cannot be reached pool=\"site\""),
    ] {
        assert!(log.contains(&expected), "{expected}: {log}");
    }
    assert!(!log.contains("127.0.0.1:1 of pool shop gets requests"), "{log}");
}

#[test]
fn a_client_that_closed_its_direction_while_its_answer_was_awaited_is_told_apart() {
    let seen = std::sync::Arc::new(std::sync::Barrier::new(2));
    let closed = std::sync::Arc::clone(&seen);
    let upstream = Upstream::scripted(move |_, peer| {
        closed.wait();
        closed.wait();
        crate::upstream::answer(peer, b"late")
    });
    let (balancer, folder) =
        logging("$status $flag $by", &format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address));
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.wait();
    client.finish();
    seen.wait();
    assert_eq!(client.answer().text(), "late");
    assert_eq!(lines(balancer, &folder), "200 half_closed client\n");
}

#[test]
fn the_form_that_nginx_comes_with_is_taken() {
    let upstream = Upstream::saying("hi");
    let form = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $msec|${cookie_id}s|$cookie_no"#;
    let (balancer, folder) = logging(form, &format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address));
    let mut client = balancer.connect();
    client.send(
        "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nX-Forwarded-For: b\r\nCookie: x=1; id=7\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let line = lines(balancer, &folder);
    let (before, after) = (line.find('[').unwrap(), line.find(']').unwrap());
    assert_eq!(&line[..before], "127.0.0.1 - - ");
    let told = line[after..].strip_prefix("] \"GET /a HTTP/1.1\" 200 2 \"-\" \"-\" \"b\" ").unwrap();
    let (msec, cookies) = told.split_once('|').unwrap();
    assert_eq!(cookies, "7s|-\n");
    let (seconds, fraction) = msec.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_500_000_000 && fraction.len() == 3, "{msec}");
}

#[test]
fn who_stops_in_the_middle_of_an_answer_is_told() {
    let upstream = Upstream::scripted(|_, peer| {
        let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n";
        peer.get_mut().write_all(&[&begun[..], &[b'x'; 500]].concat()).is_ok()
    });
    let log = tempfile::NamedTempFile::new().unwrap();
    let ahead = format!("access_log = \"{}\"\n", log.path().display());
    let pool = format!("[pool]\nread_timeout = \"500ms\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let balancer = Balancer::with_file_ahead(&ahead, &pool);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut seen = Vec::new();
    drop(client.0.read_to_end(&mut seen));
    assert!(seen.starts_with(b"HTTP/1.1 200 "));
    let told = format!("flag=cut by=backend at={} ", upstream.address);
    eventually("it is told", || std::fs::read_to_string(log.path()).unwrap().contains(&told).then_some(()));
}

#[test]
fn who_has_left_behind_what_its_backend_does_not_take_has_left() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        // Reads nothing, and ends when the balancer does.
        tell.send(()).unwrap();
        let mut fds = [rustix::event::PollFd::new(peer.get_ref(), rustix::event::PollFlags::RDHUP)];
        rustix::event::poll(&mut fds, None).unwrap();
        false
    });
    let pool =
        format!("[pool]\nread_timeout = \"1s\"\nmax_fails = 1\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let (balancer, folder) = logging("$request_uri $status $by", &pool);
    let mut client = balancer.connect();
    client.send("PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    client.0.get_ref().set_nonblocking(true).unwrap();
    // Until nobody takes any more: not we, nor either kernel.
    let mut idle = 0;
    eventually("nothing more is taken", || {
        let taken = std::io::Write::write(client.0.get_mut(), &[b'x'; 100_000]).is_ok();
        idle = if taken { 0 } else { idle + 1 };
        (idle == 30).then_some(())
    });
    told.recv_timeout(crate::harness::PATIENCE).unwrap();
    client.reset();
    eventually("it is told", || {
        let log = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
        log.contains("/up ").then_some(())
    });
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
    assert_eq!(lines(balancer, &folder), "/up 499 client\n");
}
