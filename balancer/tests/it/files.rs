use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{
    harness::{Answer, Balancer, Connection, connect_from, eventually, field, read_head},
    http2::{
        USUAL,
        raw::{HEADERS, Raw, SETTINGS},
    },
    tls::{
        Authority,
        clients::{run, text},
    },
};

/// Nobody may see this.
const SECRET: &str = "nobody may see this";

/// A balancer that serves a folder and nothing else.
struct Site {
    folder: tempfile::TempDir,
    balancer: Balancer,
}

impl Site {
    /// `route`: what the file says of the route, with `ROOT` for the folder.
    fn with(route: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub/empty")).unwrap();
        for (name, content) in [
            ("a.txt", "0123456789"),
            ("none.txt", ""),
            ("index.html", "<p>top"),
            ("sub/index.html", "<p>sub"),
            (".env", SECRET),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        fs::write(folder.path().join("secret"), SECRET).unwrap();
        let route = format!("[[route]]\n{route}\n").replace("ROOT", root.to_str().unwrap());
        Self { balancer: Balancer::with_file(&route), folder }
    }

    fn new() -> Self {
        Self::with("root = \"ROOT\"")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn ask(&self, method: &str, target: &str, fields: &str) -> Answer {
        ask(&mut self.balancer.connect(), method, target, fields)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.balancer.address)
    }
}

fn ask(client: &mut Connection, method: &str, target: &str, fields: &str) -> Answer {
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    if method == "HEAD" { client.answer_to_head() } else { client.answer() }
}

#[test]
fn a_file_comes_with_its_type_its_tag_and_its_time() {
    let site = Site::new();
    let answer = site.ask("GET", "/a.txt?v=1", "");
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    for (name, expected) in
        [("content-type", "text/plain; charset=utf-8"), ("content-length", "10"), ("accept-ranges", "bytes")]
    {
        assert_eq!(answer.field(name), Some(expected));
    }
    assert!(answer.field("date").is_some() && answer.field("x-request-id").is_some(), "{}", answer.head);
    let tag = answer.field("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && answer.field("last-modified").unwrap().ends_with("GMT"), "{}", answer.head);
    let head = site.ask("HEAD", "/a.txt", "");
    assert_eq!((head.field("content-length"), head.field("etag")), (Some("10"), Some(&*tag)));
    // Another file with the same name has another tag, though it is as long and is written at once.
    fs::write(site.path("new"), "9876543210").unwrap();
    fs::rename(site.path("new"), site.path("a.txt")).unwrap();
    let new = site.ask("GET", "/a.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((new.status, new.text()), (200, "9876543210"));
}

#[test]
fn conditions_and_ranges_are_answered_as_the_standard_has_it() {
    let site = Site::new();
    let mut client = site.balancer.connect();
    let first = ask(&mut client, "GET", "/a.txt", "");
    let (tag, time) = (first.field("etag").unwrap(), first.field("last-modified").unwrap());
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (method, fields, status, range, body) in [
        ("GET", "", 200, None, "0123456789"),
        ("GET", "If-None-Match: TAG\r\n", 304, None, ""),
        ("HEAD", "If-None-Match: W/TAG\r\n", 304, None, ""),
        ("GET", "If-None-Match: \"x\", TAG\r\n", 304, None, ""),
        ("GET", "If-None-Match: *\r\n", 304, None, ""),
        ("GET", "If-None-Match: \"x\"\r\nIf-Modified-Since: TIME\r\n", 200, None, "0123456789"),
        ("GET", "If-Modified-Since: TIME\r\n", 304, None, ""),
        ("GET", "If-Modified-Since: OLD\r\n", 200, None, "0123456789"),
        ("GET", "If-Match: TAG\r\n", 200, None, "0123456789"),
        ("GET", "If-Match: \"x\"\r\n", 412, None, ""),
        ("GET", "If-Match: W/TAG\r\n", 412, None, ""),
        ("GET", "If-Unmodified-Since: OLD\r\n", 412, None, ""),
        ("GET", "If-Unmodified-Since: TIME\r\n", 200, None, "0123456789"),
        ("GET", "Range: bytes=0-0\r\n", 206, Some("bytes 0-0/10"), "0"),
        ("GET", "Range: bytes=7-\r\n", 206, Some("bytes 7-9/10"), "789"),
        ("GET", "Range: bytes=-2\r\n", 206, Some("bytes 8-9/10"), "89"),
        ("GET", "Range: bytes=8-100\r\n", 206, Some("bytes 8-9/10"), "89"),
        ("GET", "Range: bytes=10-\r\n", 416, Some("bytes */10"), ""),
        ("GET", "Range: bytes=-0\r\n", 416, Some("bytes */10"), ""),
        ("GET", "Range: bytes=0-1,50-\r\n", 206, Some("bytes 0-1/10"), "01"),
        ("GET", "Range: bytes=5-4\r\n", 200, None, "0123456789"),
        ("GET", "Range: lines=0-1\r\n", 200, None, "0123456789"),
        ("GET", "Range: bytes=0-,0-\r\n", 200, None, "0123456789"),
        ("HEAD", "Range: bytes=0-0\r\n", 200, None, ""),
        ("GET", "Range: bytes=0-0\r\nIf-Range: TAG\r\n", 206, Some("bytes 0-0/10"), "0"),
        ("GET", "Range: bytes=0-0\r\nIf-Range: W/TAG\r\n", 200, None, "0123456789"),
        ("GET", "Range: bytes=0-0\r\nIf-Range: OLD\r\n", 200, None, "0123456789"),
        ("GET", "Range: bytes=0-0\r\nIf-None-Match: TAG\r\n", 304, None, ""),
        ("GET", "Range: bytes=50-\r\nIf-Match: \"x\"\r\n", 412, None, ""),
    ] {
        let fields = fields.replace("TAG", tag).replace("TIME", time).replace("OLD", old);
        let answer = ask(&mut client, method, "/a.txt", &fields);
        let seen = (answer.status, answer.field("content-range"), answer.text());
        assert_eq!(seen, (status, range, body), "{method} {fields}");
        if matches!(status, 200 | 206 | 304) {
            assert_eq!((answer.field("etag"), answer.field("last-modified")), (Some(tag), Some(time)), "{fields}");
        }
    }
    for (range, status) in [("bytes=0-", 416), ("bytes=-1", 200)] {
        let answer = ask(&mut client, "GET", "/none.txt", &format!("Range: {range}\r\n"));
        assert_eq!((answer.status, answer.text()), (status, ""), "{range}");
    }
}

#[test]
fn several_parts_come_in_one_answer_each_with_its_place() {
    let site = Site::new();
    let answer = site.ask("GET", "/a.txt", "Range: bytes=1-2, -1\r\n");
    let boundary = answer.field("content-type").unwrap().strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |place: &str, text: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {place}/10\r\n\r\n{text}\r\n"
        )
    };
    let expected = format!("{}{}--{boundary}--\r\n", part("1-2", "12"), part("9-9", "9"));
    assert_eq!((answer.status, answer.text()), (206, &*expected));
    let many: Vec<String> = (0..200).map(|_| "0-0".to_owned()).collect();
    let whole = site.ask("GET", "/a.txt", &format!("Range: bytes={}\r\n", many.join(",")));
    assert_eq!((whole.status, whole.text()), (200, "0123456789"));
}

#[test]
fn no_way_leads_out_of_the_folder() {
    let site = Site::with("location = \"/static\"\nalias = \"ROOT\"");
    let outside = site.folder.path();
    for (link, to) in [
        ("up", PathBuf::from("..")),
        ("file", PathBuf::from("../secret")),
        ("absolute", outside.join("secret")),
        ("root", PathBuf::from("/")),
        ("proc", PathBuf::from("/proc/self/root")),
        ("loop", PathBuf::from("loop")),
        ("chain", PathBuf::from("file")),
    ] {
        symlink(to, site.path(link)).unwrap();
    }
    let secret = outside.join("secret").to_str().unwrap().to_owned();
    let encoded = secret.replace('/', "%2f");
    for target in [
        "/static/../secret".to_owned(),
        "/static/%2e%2e/secret".to_owned(),
        "/static/.%2E/secret".to_owned(),
        "/static/..%2fsecret".to_owned(),
        "/static/..%5csecret".to_owned(),
        "/static/%2e%2e%2fsecret".to_owned(),
        "/static/%252e%252e/secret".to_owned(),
        "/static/..;/secret".to_owned(),
        "/static/sub/../../secret".to_owned(),
        "/static../secret".to_owned(),
        "/static%2e%2e/secret".to_owned(),
        "/static;/../secret".to_owned(),
        "/static/a.txt/../../secret".to_owned(),
        "/static/a.txt%00.html".to_owned(),
        "/static/up/secret".to_owned(),
        "/static/up/root/up/secret".to_owned(),
        "/static/file".to_owned(),
        "/static/chain".to_owned(),
        "/static/absolute".to_owned(),
        "/static/loop".to_owned(),
        "/static/.env".to_owned(),
        "/static/%2eenv".to_owned(),
        format!("/static/{secret}"),
        format!("/static{encoded}"),
        format!("/static/root{secret}"),
        format!("/static/proc{secret}"),
        format!("//static/..{secret}"),
        format!("http://h/static/../{secret}"),
    ] {
        let answer = site.ask("GET", &target, "");
        assert!(matches!(answer.status, 400 | 403 | 404), "{target}: {}", answer.status);
        assert!(!answer.text().contains(SECRET) && !answer.head.contains("root:"), "{target}");
    }
    for target in ["/static/a.txt", "/static/%61.txt", "/%73tatic/a.txt"] {
        assert_eq!(site.ask("GET", target, "").text(), "0123456789", "{target}");
    }
}

#[test]
fn a_link_that_stays_inside_is_followed_and_the_folder_may_be_one_that_is_changed() {
    let site = Site::new();
    symlink("../a.txt", site.path("sub/link")).unwrap();
    assert_eq!(site.ask("GET", "/sub/link", "").text(), "0123456789");
    let folder = tempfile::tempdir().unwrap();
    let release = |number: &str| {
        fs::create_dir(folder.path().join(number)).unwrap();
        fs::write(folder.path().join(number).join("v"), number).unwrap();
        symlink(number, folder.path().join("next")).unwrap();
        fs::rename(folder.path().join("next"), folder.path().join("current")).unwrap();
    };
    release("one");
    let balancer = Balancer::with_file(&format!("[[route]]\nroot = \"{}/current\"\n", folder.path().display()));
    assert_eq!(balancer.get("/v").text(), "one");
    release("two");
    assert_eq!(balancer.get("/v").text(), "two");
}

#[test]
fn a_folder_is_answered_with_its_index_and_never_listed() {
    let site = Site::new();
    for (target, status, body) in
        [("/", 200, "<p>top"), ("/sub/", 200, "<p>sub"), ("http://h", 200, "<p>top"), ("/sub/?x", 200, "<p>sub")]
    {
        let answer = site.ask("GET", target, "");
        assert_eq!((answer.status, answer.text()), (status, body), "{target}");
        assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    }
    for (target, place) in [("/sub", "/sub/"), ("/s%75b?x=/y", "/s%75b/?x=/y")] {
        let answer = site.ask("GET", target, "");
        assert_eq!((answer.status, answer.field("location"), answer.text()), (301, Some(place), ""), "{target}");
    }
    for (target, status) in
        [("/sub/empty/", 403), ("/sub/none/", 404), ("/a.txt/", 404), ("/a.txt/b", 404), ("/none", 404)]
    {
        assert_eq!(site.ask("GET", target, "").status, status, "{target}");
    }
    let site = Site::with("root = \"ROOT\"\nindex = \"a.txt\"");
    assert_eq!(site.ask("GET", "/", "").text(), "0123456789");
}

#[test]
fn other_methods_are_told_which_there_are() {
    let site = Site::new();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"] {
        let answer = site.ask(method, "/a.txt", "");
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let mut client = site.balancer.connect();
    assert_eq!(client.post("/a.txt", b"body").status, 405);
    assert!(client.is_closed());
    assert_eq!(fs::read_to_string(site.path("a.txt")).unwrap(), "0123456789");
}

#[test]
fn the_rules_of_a_route_hold_for_its_files() {
    let rules = "root = \"ROOT\"\ncache_control = \"public, max-age=60\"\n[route.response_headers]\nset = { X-Frame-Options = \"DENY\" }\nremove = [\"Last-Modified\"]\n[route.cors]\nallow_origin = [\"https://a.example\"]";
    let site = Site::with(rules);
    let mut client = site.balancer.connect();
    let origin = "Origin: https://a.example\r\n";
    for (fields, status) in [(origin, 200), ("Origin: https://a.example\r\nRange: bytes=0-0\r\n", 206)] {
        let answer = ask(&mut client, "GET", "/a.txt", fields);
        assert_eq!((answer.status, answer.field("cache-control")), (status, Some("public, max-age=60")));
        assert_eq!((answer.field("x-frame-options"), answer.field("last-modified")), (Some("DENY"), None));
        assert_eq!(answer.field("access-control-allow-origin"), Some("https://a.example"));
    }
    let tag = ask(&mut client, "GET", "/a.txt", "").field("etag").unwrap().to_owned();
    let known = ask(&mut client, "GET", "/a.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((known.status, known.field("cache-control")), (304, Some("public, max-age=60")));
    let question = ask(&mut client, "OPTIONS", "/a.txt", &format!("{origin}Access-Control-Request-Method: GET\r\n"));
    assert_eq!((question.status, question.field("access-control-allow-origin")), (204, Some("https://a.example")));
}

#[test]
fn requests_in_a_row_are_answered_in_order_and_are_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (root, log) = (folder.path().join("root"), folder.path().join("access.log"));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.txt"), "0123456789").unwrap();
    let (root, path) = (root.display(), log.display());
    let file = tempfile::NamedTempFile::new().unwrap();
    let head = format!("worker_threads = 1\naccess_log = \"{path}\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n");
    fs::write(file.path(), format!("{head}[[route]]\nroot = \"{root}\"\n")).unwrap();
    let mut balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let mut client = balancer.connect();
    client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=-1\r\n\r\n");
    assert_eq!(client.answer().text(), "0123456789");
    assert_eq!(client.answer().status, 404);
    assert_eq!(client.answer().text(), "9");
    assert_eq!(balancer.stop(), Some(0));
    let lines = fs::read_to_string(log).unwrap();
    for end in ["\"GET /a.txt HTTP/1.1\" 200 10 ", "\"GET /none HTTP/1.1\" 404 ", "\"GET /a.txt HTTP/1.1\" 206 1 "] {
        assert!(lines.contains(end), "{end} in {lines}");
    }
}

#[test]
fn what_lies_beside_a_file_compressed_is_taken_as_it_is() {
    let site = Site::with("root = \"ROOT\"\nprecompressed = true");
    fs::write(site.path("a.txt.gz"), "as gzip").unwrap();
    fs::write(site.path("a.txt.zst"), "as zstd").unwrap();
    let mut tags = HashSet::new();
    for (accept, coding, body) in [
        ("", None, "0123456789"),
        ("Accept-Encoding: gzip\r\n", Some("gzip"), "as gzip"),
        ("Accept-Encoding: gzip, zstd\r\n", Some("zstd"), "as zstd"),
        ("Accept-Encoding: gzip;q=1, zstd;q=0.5\r\n", Some("gzip"), "as gzip"),
    ] {
        let answer = site.ask("GET", "/a.txt", accept);
        assert_eq!((answer.field("content-encoding"), answer.text()), (coding, body), "{accept}");
        assert_eq!(
            (answer.field("vary"), answer.field("content-type")),
            (Some("Accept-Encoding"), Some("text/plain; charset=utf-8"))
        );
        tags.insert(answer.field("etag").unwrap().to_owned());
    }
    assert_eq!(tags.len(), 3);
    let part = site.ask("GET", "/a.txt", "Accept-Encoding: gzip\r\nRange: bytes=3-\r\n");
    assert_eq!((part.status, part.text(), part.field("content-range")), (206, "gzip", Some("bytes 3-6/7")));
    let itself = site.ask("GET", "/a.txt.gz", "Accept-Encoding: gzip\r\n");
    assert_eq!((itself.field("content-encoding"), itself.field("content-type")), (None, Some("application/gzip")));
}

#[test]
fn files_are_compressed_on_their_way_and_parts_of_them_are_not() {
    let site = Site::with("root = \"ROOT\"\ncompress = true");
    let long = "a line of a page\n".repeat(40_000);
    fs::write(site.path("long.html"), &long).unwrap();
    let mut client = site.balancer.connect();
    let plain = ask(&mut client, "GET", "/long.html", "");
    let tag = plain.field("etag").unwrap().to_owned();
    assert_eq!((plain.text(), plain.field("vary"), &tag[..1]), (&*long, Some("Accept-Encoding"), "\""));
    let coded = ask(&mut client, "GET", "/long.html", "Accept-Encoding: gzip\r\n");
    assert_eq!((coded.field("content-encoding"), coded.field("accept-ranges")), (Some("gzip"), None));
    assert_eq!((coded.field("etag"), coded.field("content-length")), (Some(&*format!("W/{tag}")), None));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&coded.body[..]).read_to_string(&mut unpacked).unwrap();
    assert!(unpacked == long && coded.body.len() < long.len() / 50);
    let head = ask(&mut client, "HEAD", "/long.html", "Accept-Encoding: gzip\r\n");
    assert_eq!((head.field("content-encoding"), head.field("content-length")), (Some("gzip"), None));
    let known = ask(&mut client, "GET", "/long.html", &format!("Accept-Encoding: gzip\r\nIf-None-Match: W/{tag}\r\n"));
    assert_eq!(
        (known.status, known.field("etag"), known.field("content-encoding")),
        (304, Some(&*format!("W/{tag}")), None)
    );
    let part = ask(
        &mut client,
        "GET",
        "/long.html",
        &format!("Accept-Encoding: gzip\r\nRange: bytes=0-5\r\nIf-Range: {tag}\r\n"),
    );
    assert_eq!((part.status, part.text(), part.field("content-encoding")), (206, "a line", None));
    assert_eq!(ask(&mut client, "GET", "/a.txt", "Accept-Encoding: gzip\r\n").text(), "0123456789");
}

#[test]
fn a_file_that_becomes_shorter_under_way_is_broken_off() {
    let site = Site::new();
    let file = fs::File::create(site.path("large")).unwrap();
    file.set_len(256 << 20).unwrap();
    let mut client = site.balancer.connect();
    client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = read_head(&mut client.0).unwrap();
    assert_eq!(field(&head, "content-length"), Some(&*(256 << 20).to_string()));
    file.set_len(0).unwrap();
    let mut rest = Vec::new();
    drop(client.0.read_to_end(&mut rest));
    assert!(rest.len() < 256 << 20);
}

/// Takes a lease on a file, says so, says when it is asked to give it back, and does that when it is told to.
const LEASE: &str = "
import fcntl, signal, sys
signal.signal(signal.SIGIO, lambda *_: print('asked', flush=True))
file = open(sys.argv[1], 'r+')
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('taken', flush=True)
sys.stdin.readline()
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";

/// Somebody with a lease on a file.
struct Holder {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn of(file: &Path) -> Option<Self> {
        run(Command::new("python3").arg("-V"), "python3", "")?;
        let mut python = Command::new("python3");
        python.args(["-c", LEASE]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut holder = Self { child, said };
        assert_eq!(holder.next(), "taken");
        Some(holder)
    }

    fn next(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }

    fn give_back(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_file_that_somebody_has_a_lease_on_is_waited_for() {
    let site = Site::new();
    let Some(mut holder) = Holder::of(&site.path("a.txt")) else { return };
    let mut client = site.balancer.connect();
    client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(holder.next(), "asked");
    assert_eq!(site.ask("GET", "/index.html", "").text(), "<p>top", "nobody else waits");
    holder.give_back();
    assert_eq!(client.answer().text(), "0123456789");
}

#[test]
fn what_fails_again_and_again_is_said_a_few_times_and_counted() {
    let site = Site::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let route = format!("[[route]]\nroot = \"{}\"\n", site.folder.path().join("root").display());
    let head = "worker_threads = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\nread_timeout = \"1ms\"\n";
    fs::write(file.path(), format!("{head}{route}")).unwrap();
    let mut balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let Some(mut holder) = Holder::of(&site.path("a.txt")) else { return };
    let mut client = balancer.connect();
    let statuses: Vec<u16> = (0..50).map(|_| client.get("/a.txt").status).collect();
    assert_eq!(statuses, [500; 50]);
    drop(client);
    balancer.stop();
    let log = balancer.log();
    let lines = log.lines().filter(|line| line.contains("cannot be opened"));
    let told = lines.clone().map(|line| {
        let more = line.split_once(" ... and ").map(|(_, more)| more.split(' ').next().unwrap());
        1 + more.map_or(0, |more| more.parse::<usize>().unwrap())
    });
    assert_eq!(told.sum::<usize>(), 50, "{log}");
    assert!(lines.count() < 50 && log.contains(" more of this kind in 1 s"), "{log}");
    holder.give_back();
}

/// Runs curl with these arguments; what it says, if it is there.
fn curl(arguments: &[&str]) -> Option<String> {
    run(Command::new("curl").arg("-sS").args(arguments), "curl", "").map(|output| text(&output))
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(step).collect()
}

#[test]
fn curl_resumes_a_download_and_asks_whether_there_is_something_new() {
    let site = Site::new();
    let bytes = noise(3_000_000);
    fs::write(site.path("disk.img"), &bytes).unwrap();
    let file = site.folder.path().join("disk.img");
    fs::write(&file, &bytes[..1_234_567]).unwrap();
    let (url, path) = (site.url("/disk.img"), file.to_str().unwrap());
    let Some(said) = curl(&["--fail", "-C", "-", "-o", path, "-w", "%{response_code} %{size_download}", &url]) else {
        return;
    };
    assert_eq!((said.as_str(), fs::read(&file).unwrap() == bytes), ("206 1765433", true));
    let tag = site.folder.path().join("tag");
    let tag = tag.to_str().unwrap();
    let once = |more: &[&str]| {
        let usual = ["-o", "/dev/null", "-w", "%{response_code}", "--etag-save", tag, "--etag-compare", tag];
        curl(&[&usual, more, &[&url]].concat()).unwrap()
    };
    fs::write(tag, "").unwrap();
    assert_eq!((once(&[]), once(&[])), ("200".to_owned(), "304".to_owned()));
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{response_code}", "-z", path, &url]).as_deref(), Some("304"));
    let parts = curl(&["-r", "0-9,-10", "-o", path, "-w", "%{content_type}", &url]).unwrap();
    assert!(parts.starts_with("multipart/byteranges; boundary="), "{parts}");
}

/// A balancer with TLS in front of a folder.
fn secure(authority: &Authority, root: &Path, more: &str) -> Balancer {
    let [pem, key] = authority.sign("own", &["localhost"]);
    Balancer::with_file(&format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n[tls]\nhsts = \"max-age=60\"\n[[tls.certificate]]\nssl_certificate = \"{pem}\"\n\
         ssl_certificate_key = \"{key}\"\n[[route]]\nroot = \"{}\"\n{more}\n",
        root.display()
    ))
}

#[test]
fn clients_that_take_nothing_leave_descriptors_for_others() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("large"), noise(1 << 20)).unwrap();
    fs::write(folder.path().join("small"), "small").unwrap();
    let [pem, key] = authority.sign("own", &["localhost"]);
    let config = tempfile::NamedTempFile::new().unwrap();
    let root = folder.path().display();
    fs::write(
        config.path(),
        format!("worker_threads = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[route]]\nroot = \"{root}\"\n"),
    )
    .unwrap();
    let tls = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &pem, "--tls-key", &key];
    let balancer =
        Balancer::with_descriptors(600, &[&["--config", config.path().to_str().unwrap()], &tls[..]].concat());
    let ask = |from: [u8; 4], path: &str, requests: usize| {
        let mut client = Raw::over(connect_from((from, 0).into(), balancer.tls), &authority);
        // Nothing of a body may come.
        client.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        for id in (1..).step_by(2).take(requests) {
            client.request(id, &[USUAL[0], USUAL[1], USUAL[2], (":path", path)], true);
        }
        // What 200 is in HPACK; another status is written in other ways.
        let is_fine = || client.until(|frame| frame.kind == HEADERS).unwrap().payload[0] == 0x88;
        let fine = std::iter::repeat_with(is_fine).take(requests).filter(|is_fine| *is_fine).count();
        (client, fine)
    };
    let (small, fine) = ask([127, 0, 0, 1], "/small", 60);
    assert_eq!(fine, 60, "they are read and closed");
    let (first, fine) = ask([127, 0, 0, 2], "/large", 100);
    assert_eq!(fine, 100);
    let (second, fine) = ask([127, 0, 0, 3], "/large", 60);
    assert_eq!(fine, 50, "a quarter of all");
    let refused = balancer.get("/small");
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
    drop((small, first, second));
    eventually("there are files again", || (balancer.get("/large").status == 200).then_some(()));
}

#[test]
fn files_go_over_tls_and_http_2_too() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let bytes = noise(1_500_000);
    fs::write(folder.path().join("disk.img"), &bytes).unwrap();
    fs::write(folder.path().join("page.html"), "a line of a page\n".repeat(40_000)).unwrap();
    let balancer = secure(&authority, folder.path(), "compress = true");
    let (ca, out) = (authority.root(), folder.path().join("out"));
    let (ca, out) = (ca.to_str().unwrap(), out.to_str().unwrap());
    for version in ["--http1.1", "--http2"] {
        let ask = |path: &str, more: &[&str]| {
            let url = format!("https://localhost:{}{path}", balancer.tls.port());
            let usual = [version, "--cacert", ca, "-o", out, "-w", "%{response_code} %{size_download}", &url];
            curl(&[&usual, more].concat())
        };
        let Some(said) = ask("/disk.img", &[]) else { return };
        assert_eq!((said.as_str(), fs::read(out).unwrap() == bytes), ("200 1500000", true), "{version}");
        assert_eq!(ask("/disk.img", &["-r", "10-19"]).as_deref(), Some("206 10"));
        assert_eq!(fs::read(out).unwrap(), bytes[10..20]);
        assert!(ask("/disk.img", &["-I"]).unwrap().starts_with("200 0"));
        assert!(fs::read_to_string(out).unwrap().to_lowercase().contains("strict-transport-security: max-age=60"));
        assert_eq!(ask("/none", &[]).unwrap().split(' ').next(), Some("404"));
        assert!(ask("/page.html", &["--compressed"]).unwrap().starts_with("200 "));
        assert_eq!(fs::read_to_string(out).unwrap(), "a line of a page\n".repeat(40_000), "{version}");
    }
}
