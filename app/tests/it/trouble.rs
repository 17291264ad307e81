//! What may go wrong around us, and the clear answer to it.

use std::{io::Write, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use logkin::{
    cli::{Access, Serve, State},
    config::Config,
    intake, janitor,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{TestApp, attributes, eventually, three_kinds};

#[tokio::test]
async fn a_client_that_hangs_up_leaves_neither_report_nor_draft() {
    let app = TestApp::idle().await;
    for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
        let head = format!("POST /api/v1/reports?name=a.log HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"5\r\nhello").await.unwrap();
        eventually("the draft is begun", || async { (app.drafts() == 1).then_some(()) }).await;
        drop(stream);
        eventually("the draft is gone", || async { (app.drafts() == 0).then_some(()) }).await;
    }
    assert_eq!(app.get("/api/v1/reports").await.json()["total"], 0);
    assert_eq!(app.kept(), 0);
}

#[tokio::test]
async fn an_upload_cut_off_at_any_moment_is_kept_whole_or_not_at_all() {
    let app = TestApp::idle().await;
    for n in 0..150 {
        let body = futures_util::stream::iter([Ok::<_, std::io::Error>("a line\n".into())]);
        let uploading = async {
            let mut arrival = app.intake.arrival();
            arrival.file("a.log", body).await.unwrap();
            arrival.queue().await.unwrap();
        };
        let _ = tokio::time::timeout(Duration::from_micros(100 * n), uploading).await;
    }
    eventually("every report has its bytes, and all bytes a report", || async {
        let total = app.store.reports(None, 1).await.unwrap().1;
        let folders = std::fs::read_dir(app.dir.path().join("data/reports")).unwrap().count();
        (app.drafts() == 0 && (app.kept(), folders) == (total as usize, total as usize)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_answered_and_kept_nowhere() {
    let app = TestApp::idle().await;
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /api/v1/reports HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\n";
    let body = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.log\"\r\n\r\nhalf of it";
    let whole = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(whole.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("ended before it was complete"), "{answer}");
    assert_eq!((app.drafts(), app.kept()), (0, 0));
}

#[tokio::test]
async fn a_form_that_gets_nowhere_is_refused_before_it_is_gathered() {
    let app = TestApp::idle().await;
    let kind = "multipart/form-data; boundary=x";
    let endless_head = "--x\r\ncontent-disposition: form-data; name=\"";
    let skipped = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n";
    for start in ["", endless_head, skipped] {
        let chunk = Bytes::from(vec![b'a'; 100_000]);
        let rest = std::iter::once(Bytes::from(start)).chain(std::iter::repeat_n(chunk, 600));
        let body = Body::from_stream(futures_util::stream::iter(rest.map(Ok::<_, std::io::Error>)));
        let answer = app.post("/api/v1/reports", kind, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{start}");
        assert!(answer.problem().contains("no part of it begins"), "{}", answer.text());
    }
    let parts = "--x\r\ncontent-disposition: form-data; name=\"path\"\r\n\r\n/\r\n".repeat(1_001) + "--x--\r\n";
    assert_eq!(app.post("/api/v1/reports", kind, parts).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!((app.drafts(), app.kept()), (0, 0));
}

#[tokio::test]
async fn a_client_that_is_still_sending_reads_the_answer_that_came_early() {
    let app = TestApp::idle().await;
    let head = "POST /api/v1/reports HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 30000000\r\n";
    let head = format!("{head}content-type: multipart/form-data; boundary=x\r\n\r\n");
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'a'; 30_000_000]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_form_with_files_in_many_small_pieces_arrives_whole() {
    let app = TestApp::idle().await;
    let file =
        |name: &str| format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    let form = format!("{}{}\r\n{}{}\r\n--x--\r\n", file("a"), "a\r".repeat(60_000), file("b"), "b\n".repeat(60_000));
    for size in [7, 50_000, 400_000] {
        let pieces: Vec<_> =
            form.as_bytes().chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let answer = app.post("/api/v1/reports", "multipart/form-data; boundary=x", body).await;
        assert_eq!((answer.status, answer.json()["bytes"].as_u64()), (StatusCode::ACCEPTED, Some(240_000)), "{size}");
    }
}

#[tokio::test]
async fn a_draft_whose_writer_died_is_swept_and_one_being_written_is_not() {
    let app = TestApp::idle().await;
    let mut alive = app.blobs.draft().unwrap();
    alive.write_all(b"coming").unwrap();
    std::fs::write(app.dir.path().join("data/drafts/abandoned"), "half").unwrap();
    let swept = janitor::sweep(&app.blobs, &*app.store, Duration::ZERO, Duration::ZERO).await.unwrap();
    assert_eq!((swept, app.drafts()), ((1, 0), 1));
}

#[tokio::test]
async fn blobs_without_a_row_are_swept_and_those_with_one_are_not() {
    let app = TestApp::idle().await;
    app.post("/api/v1/reports?name=a.log", "text/plain", "x\n").await;
    let orphan = app.dir.path().join("data/reports/00000000000000000000000000000000");
    std::fs::create_dir(&orphan).unwrap();
    let swept = janitor::sweep(&app.blobs, &*app.store, Duration::ZERO, Duration::ZERO).await.unwrap();
    assert_eq!((swept, app.kept(), orphan.exists()), ((0, 1), 1, false));
}

#[tokio::test]
async fn paths_outside_the_roots_are_refused_however_they_are_written() {
    let app = TestApp::idle().await;
    std::os::unix::fs::symlink("/etc/passwd", app.logs().join("link.log")).unwrap();
    std::os::unix::fs::symlink("/etc", app.logs().join("folder")).unwrap();
    let inside = app.logs().display().to_string();
    let outside = [
        "/etc/passwd".to_owned(),
        "/etc/no-such-file".to_owned(),
        format!("{inside}/../data/logkin.db"),
        format!("{inside}/link.log"),
        format!("{inside}/folder/passwd"),
        format!("{inside}/folder/no-such-file"),
        "link.log".to_owned(),
    ];
    for path in outside {
        let answer = app.post("/api/v1/reports", "application/json", json!({ "path": path }).to_string()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        let detail = answer.problem();
        assert!(detail.contains(&inside) || detail.contains("`..`"), "{path}: {detail}");
    }
}

#[tokio::test]
async fn empty_folders_missing_files_and_pipes_are_refused_with_the_reason() {
    let app = TestApp::idle().await;
    let socket = app.logs().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let pipe = app.logs().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let folder = app.logs().display().to_string();
    let cases = [
        (folder.clone(), "holds no file to read"),
        (format!("{folder}/gone.log"), "there is no file"),
        (socket.display().to_string(), "not a regular file"),
        (pipe.display().to_string(), "not a regular file"),
    ];
    for (path, reason) in cases {
        let answer = app.post("/api/v1/reports", "application/json", json!({ "path": path }).to_string()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(answer.problem().contains(reason), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_grew_still_shows_its_lines_and_one_that_changed_does_not() {
    let app = TestApp::start().await;
    let path = app.log("live.log", three_kinds());
    let lines = lines_of(&app, &path).await;
    let before = app.get(&lines).await.body;
    std::fs::File::options().append(true).open(&path).unwrap().write_all(b"one more\n").unwrap();
    assert_eq!(app.get(&lines).await.body, before);
    std::fs::write(&path, three_kinds().replace("user", "USER") + "and\nmore\n").unwrap();
    let answer = app.get(&lines).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.problem().contains("has changed since it was read"));
    let page = app.browse(&lines.replace("/api/v1", "").replace("/lines", "")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("has changed since it was read"));
}

/// A report on a file of the user's, and the address of the lines of its first cluster.
async fn lines_of(app: &TestApp, path: &str) -> String {
    let answer = app.post("/api/v1/reports", "application/json", json!({ "path": path }).to_string()).await;
    let report = answer.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(app.settled(&report).await["status"], "done");
    let id = app.get(&format!("{report}/clusters")).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    format!("{report}/clusters/{id}/lines")
}

#[tokio::test]
async fn a_file_in_anothers_place_or_written_to_unseen_does_not_show_its_lines() {
    let app = TestApp::start().await;
    let (text, other) = (three_kinds(), three_kinds().replace("user 7", "user 8"));
    let inside = app.log("a.log", &text);
    let lines = lines_of(&app, &inside).await;
    app.log("new", &text);
    std::fs::rename(app.logs().join("new"), &inside).unwrap();
    let answer = app.get(&lines).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.problem().contains("another file is in its place"));

    let restored = app.log("b.log", &text);
    let modified = std::fs::metadata(&restored).unwrap().modified().unwrap();
    let lines = lines_of(&app, &restored).await;
    let file = std::fs::File::options().write(true).open(&restored).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, other.as_bytes(), 0).unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(app.get(&lines).await.status, StatusCode::CONFLICT);

    let grown = app.log("c.log", &text);
    let lines = lines_of(&app, &grown).await;
    let mut file = std::fs::File::options().write(true).open(&grown).unwrap();
    file.write_all(format!("{other}more\n").as_bytes()).unwrap();
    assert_eq!(app.get(&lines).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_link_exchanged_for_the_file_shows_nothing_from_outside() {
    let app = TestApp::start().await;
    let path = app.log("a.log", three_kinds());
    let lines = lines_of(&app, &path).await;
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    let answer = app.get(&lines).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.problem().contains("outside the folders"));
}

#[tokio::test]
async fn a_folder_swapped_for_a_link_again_and_again_never_leads_outside() {
    let app = TestApp::idle().await;
    let roots = logkin::roots::Roots::new(&[app.logs()]).unwrap();
    let (inside, real, link) = (app.logs().join("d"), app.logs().join("real"), app.logs().join("link"));
    let outside = app.dir.path().join("outside");
    for (folder, text) in [(&real, "inside"), (&outside, "secret")] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("f"), text).unwrap();
    }
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    std::fs::rename(&real, &inside).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let swap = rustix::fs::RenameFlags::EXCHANGE;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, &inside, rustix::fs::CWD, &link, swap).unwrap();
            }
        });
        let (mut opened, mut refused, mut leaked) = (0, 0, 0);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        // Refusals depend on the other thread's turns; on a loaded machine they may be long in coming.
        while (opened < 1_000 || refused < 1_000) && std::time::Instant::now() < deadline {
            match roots.file("d/f") {
                Ok(found) => {
                    opened += 1;
                    leaked += usize::from(std::fs::read_to_string(found.door()).ok().as_deref() != Some("inside"));
                }
                Err(_) => refused += 1,
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(opened > 0 && refused > 0 && leaked == 0, "{opened} opened, {refused} refused, {leaked} leaked");
    });
}

#[tokio::test]
async fn empty_and_binary_files_become_reports_that_close() {
    let app = TestApp::start().await;
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(three_kinds().repeat(50).as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    for (name, bytes) in [("empty", Vec::new()), ("binary", binary), ("half.gz", packed)] {
        let report = app.analyse(name, Body::from(bytes)).await;
        let done = app.get(&report).await.json();
        assert_eq!(done["status"], "done", "{name}: {done}");
        let clusters = app.get(&format!("{report}/clusters?limit=1000")).await.json();
        let clustered: u64 = clusters["items"].as_array().unwrap().iter().map(|c| c["lines"].as_u64().unwrap()).sum();
        let totals = &done["totals"];
        assert_eq!(clustered + totals["set_aside"].as_u64().unwrap(), totals["lines"].as_u64().unwrap(), "{name}");
        app.page(&report.replace("/api/v1", "")).await;
    }
}

#[tokio::test]
async fn an_empty_file_is_called_empty_on_its_page() {
    let app = TestApp::start().await;
    let report = app.analyse("empty", "").await.replace("/api/v1", "");
    let page = app.page(&report).await;
    assert_eq!(crate::harness::texts(&page, ".notice h2"), ["Nothing to group"]);
    assert_eq!(attributes(&page, ".notice a", "href"), ["/"]);
}

#[test]
fn a_deletion_without_room_speaks_of_the_deletion() {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull).into();
    let error = logkin::store::Error { action: "delete the report", is_full: true, source };
    let web = logkin::web::error::WebError::from(error);
    assert_eq!(web.status, StatusCode::INSUFFICIENT_STORAGE);
    assert!(web.detail.starts_with("cannot delete the report: there is no room left"), "{}", web.detail);
}

#[tokio::test]
async fn a_cursor_past_the_end_is_an_empty_page_and_a_broken_address_a_problem() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let id = app.get(&format!("{report}/clusters")).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let past = format!("{report}/clusters/{id}/lines?cursor=cffffffffffffffff");
    let rest = app.get(&past).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), rest["next"].is_null()), (0, true));
    let page = app.browse(&past.replace("/api/v1", "").replace("/lines", "")).await;
    assert!(page.status == StatusCode::OK && !page.text().contains("18,446,744"), "{}", page.text());
    let broken = app.get("/api/v1/reports/%ff").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert!(broken.problem().contains("UTF-8"));
}

#[tokio::test]
async fn lines_whose_result_was_just_removed_are_not_found() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let id = app.get(&format!("{report}/clusters")).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    app.blobs.remove(&report.rsplit('/').next().unwrap().parse().unwrap()).unwrap();
    assert_eq!(app.get(&format!("{report}/clusters/{id}/lines")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn names_that_turn_the_text_around_are_shown_as_what_they_are() {
    let app = TestApp::idle().await;
    let answer = app.post("/api/v1/reports?name=a%E2%80%AEgpj.log", "text/plain", "x\n").await;
    assert_eq!(answer.json()["name"], "a<U+202E>gpj.log");
}

#[test]
fn a_full_disk_is_told_apart_from_a_broken_one() {
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
        assert!(matches!(intake::Error::from(std::io::Error::from(kind)), intake::Error::NoRoom));
    }
    let web = logkin::web::error::WebError::from(intake::Error::NoRoom);
    assert_eq!(web.status, StatusCode::INSUFFICIENT_STORAGE);
}

fn serve(data_dir: &str, listen: &[&str], no_auth: bool) -> Serve {
    Serve {
        listen: listen.iter().map(ToString::to_string).collect(),
        name: None,
        access: Access { no_auth, allow_hosts: Vec::new() },
        state: State { data_dir: Some(data_dir.into()), allow_roots: Vec::new(), rules: None },
    }
}

#[test]
fn every_mistake_on_the_command_line_is_told_at_once() {
    let mut flags = serve("/dev/null/data", &["0.0.0.0:8811", "nonsense", "unix:"], false);
    flags.state.allow_roots = vec!["/no/such/folder".into()];
    let told = Config::check(&flags).unwrap_err().to_string();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[0].contains("--no-auth") && lines[1].contains("HOST:PORT") && lines[2].contains("unix:"), "{told}");
    assert!(lines[3].contains("/no/such/folder") && lines[4].contains("--data-dir"), "{told}");
}

#[test]
fn an_open_address_is_served_only_when_it_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().display().to_string();
    assert!(Config::check(&serve(&data, &["0.0.0.0:0"], false)).is_err());
    assert!(Config::check(&serve(&data, &["0.0.0.0:0"], true)).is_ok());
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let app = TestApp::idle().await;
    let chunk = Bytes::from(vec![b'x'; 300_000]);
    let body = futures_util::stream::iter((0..40).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let answer = app.post("/api/v1/reports?name=big", "application/octet-stream", Body::from_stream(body)).await;
    assert_eq!((answer.status, answer.json()["bytes"].as_u64()), (StatusCode::ACCEPTED, Some(12_000_000)));
}

#[tokio::test]
async fn a_folder_is_the_files_below_it_and_no_link_leads_out_of_it() {
    let app = TestApp::start().await;
    for name in ["x.log", "x.log.1", "deep/y.log"] {
        std::fs::create_dir_all(app.logs().join("deep")).unwrap();
        app.log(name, "job 1 done\njob 2 done\n");
    }
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "secret\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), app.logs().join("z.log")).unwrap();
    std::os::unix::fs::symlink("/", app.logs().join("root")).unwrap();
    let folder = json!({ "path": app.logs() }).to_string();
    let answer = app.post("/api/v1/reports", "application/json", folder).await;
    let report = app.settled(answer.headers["location"].to_str().unwrap()).await;
    let names: Vec<&str> =
        report["origins"].as_array().unwrap().iter().map(|origin| origin["name"].as_str().unwrap()).collect();
    assert_eq!((&report["status"], &report["totals"]["lines"]), (&json!("done"), &json!(6)), "{report}");
    assert_eq!(names, ["deep/y.log", "x.log.1", "x.log"]);
}
