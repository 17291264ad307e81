//! `/api/v1`, as a program sees it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{TestApp, request, three_kinds};

const ROUTES: &str = include_str!("../../openapi.json");

#[tokio::test]
async fn an_upload_is_answered_202_and_becomes_a_report() {
    let app = TestApp::start().await;
    let answer = app.post("/api/v1/reports?name=my.log", "text/plain", three_kinds()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let created = answer.json();
    assert_eq!((&created["name"], &created["status"]), (&json!("my.log"), &json!("queued")));
    let location = answer.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/api/v1/reports/{}", created["id"].as_str().unwrap()));
    let done = app.settled(location).await;
    assert_eq!(done["status"], "done");
    assert_eq!((&done["totals"]["lines"], &done["totals"]["set_aside"]), (&json!(83), &json!(0)));
    assert_eq!((&done["progress"]["fraction"], &done["error"]), (&json!(1.0), &Value::Null));
}

#[tokio::test]
async fn a_multipart_upload_of_two_files_is_one_report() {
    let app = TestApp::start().await;
    let part = |name, text| {
        format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = part("a.log", "one\ntwo\n") + &part("b.log", "one\n") + "--x--\r\n";
    let answer = app.post("/api/v1/reports", "multipart/form-data; boundary=x", body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let done = app.settled(answer.headers["location"].to_str().unwrap()).await;
    assert_eq!((&done["name"], &done["totals"]["lines"]), (&json!("a.log and 1 more"), &json!(3)));
}

#[tokio::test]
async fn a_path_is_read_where_it_is_and_a_sample_is_copied() {
    let app = TestApp::start().await;
    let path = app.log("here.log", three_kinds());
    let sample = &logkin::samples::all()[0].name;
    for (body, kind) in [(json!({ "path": path }), "path"), (json!({ "sample": sample }), "sample")] {
        let answer = app.post("/api/v1/reports", "application/json", body.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let done = app.settled(answer.headers["location"].to_str().unwrap()).await;
        assert_eq!((&done["status"], &done["origins"][0]["kind"]), (&json!("done"), &json!(kind)));
    }
}

#[tokio::test]
async fn clusters_and_their_lines_add_up_to_the_lines_read() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let clusters = app.get(&format!("{report}/clusters")).await.json();
    let mut lines = 0;
    for cluster in clusters["items"].as_array().unwrap() {
        let mut cursor = String::new();
        loop {
            let id = cluster["id"].as_str().unwrap();
            let page = app.get(&format!("{report}/clusters/{id}/lines?limit=7&cursor={cursor}")).await.json();
            assert_eq!(page["total"], cluster["lines"]);
            lines += page["items"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
    }
    assert_eq!(lines, 83);
    assert_eq!(clusters["items"].as_array().unwrap().len() as u64, clusters["total"].as_u64().unwrap());
}

#[tokio::test]
async fn lines_come_in_order_with_their_numbers_and_text() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", "start\nuser 1 in\nuser 2 in\nend\n").await;
    let clusters = app.get(&format!("{report}/clusters?q=user")).await.json();
    let id = clusters["items"][0]["id"].as_str().unwrap();
    let lines = app.get(&format!("{report}/clusters/{id}/lines")).await.json();
    let items: Vec<_> = lines["items"].as_array().unwrap().iter().map(|l| (&l["number"], &l["text"])).collect();
    assert_eq!(items, [(&json!(2), &json!("user 1 in")), (&json!(3), &json!("user 2 in"))]);
}

#[tokio::test]
async fn clusters_are_sorted_filtered_and_paged() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let lines = |answer: &Value| -> Vec<u64> {
        answer["items"].as_array().unwrap().iter().map(|c| c["lines"].as_u64().unwrap()).collect()
    };
    let by = |query: &str| format!("{report}/clusters?{query}");
    assert_eq!(lines(&app.get(&by("")).await.json()), [60, 20, 3]);
    assert_eq!(lines(&app.get(&by("sort=-lines")).await.json()), [60, 20, 3]);
    assert_eq!(lines(&app.get(&by("sort=lines&order=asc")).await.json()), [3, 20, 60]);
    assert_eq!(lines(&app.get(&by("q=LOGGED")).await.json()), [60]);
    let page = app.get(&by("limit=2")).await.json();
    assert_eq!((lines(&page), page["total"].as_u64()), (vec![60, 20], Some(3)));
    let rest = app.get(&by(&format!("limit=2&cursor={}", page["next"].as_str().unwrap()))).await.json();
    assert_eq!((lines(&rest), &rest["next"]), (vec![3], &Value::Null));
}

#[tokio::test]
async fn a_report_is_the_same_from_every_instance() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let other = app.beside().await;
    for path in [report.clone(), format!("{report}/clusters"), format!("{report}/export?format=csv")] {
        assert_eq!(app.get(&path).await.body, other.get(&path).await.body, "{path}");
    }
}

#[tokio::test]
async fn exports_hold_every_cluster_in_each_dress() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let json = app.get(&format!("{report}/export?format=json")).await.json();
    assert_eq!(json["clusters"].as_array().unwrap().len(), 3);
    assert_eq!(app.get(&format!("{report}/export?format=ndjson")).await.text().lines().count(), 3);
    assert_eq!(app.get(&format!("{report}/export?format=csv")).await.text().lines().count(), 4);
    assert!(app.get(&format!("{report}/export?format=xls")).await.problem().contains("`format`"));
}

#[tokio::test]
async fn a_deleted_report_is_gone_with_its_bytes() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    assert!(app.kept() > 0);
    assert_eq!(app.send(request(Method::DELETE, &report, "")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&report).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.send(request(Method::DELETE, &report, "")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.kept(), 0);
}

#[tokio::test]
async fn reports_are_listed_with_cursor_and_total() {
    let app = TestApp::idle().await;
    for n in 0..3 {
        app.post(&format!("/api/v1/reports?name={n}.log"), "text/plain", "x\n").await;
        app.hands.advance_ms(1);
    }
    let first = app.get("/api/v1/reports?limit=2").await.json();
    let rest = app.get(&format!("/api/v1/reports?limit=2&cursor={}", first["next"].as_str().unwrap())).await.json();
    let names: Vec<_> =
        [&first, &rest].iter().flat_map(|p| p["items"].as_array().unwrap()).map(|r| &r["name"]).collect();
    assert_eq!(names, ["2.log", "1.log", "0.log"]);
    assert_eq!((&first["total"], &rest["next"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", "x\n").await;
    for query in ["limit=0", "limit=x", "sort=size", "order=up", "level=bad", "cursor=7", "levle=info"] {
        let answer = app.get(&format!("{report}/clusters?{query}")).await;
        let name = query.split('=').next().unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.problem().contains(&format!("`{name}`")), "{query}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document_with_a_way_onward() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", "x\n").await;
    let nowhere = [
        "/api/v1/reports/nope".to_owned(),
        "/api/v1/reports/00000000000000000000000000000000/clusters".to_owned(),
        format!("{report}/clusters/ffffffffffffffff"),
        format!("{report}/clusters/ffffffffffffffff/lines"),
        "/api/v1/nothing".to_owned(),
    ];
    for path in nowhere {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.problem().is_empty());
        assert!(answer.json()["onward"][0]["href"].is_string());
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones() {
    let app = TestApp::idle().await;
    let answer = app.send(request(Method::PUT, "/api/v1/reports", "")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.headers["allow"].to_str().unwrap().contains("POST"));
    answer.problem();
}

#[tokio::test]
async fn a_report_that_is_not_done_has_no_clusters_yet() {
    let app = TestApp::idle().await;
    let answer = app.post("/api/v1/reports?name=a.log", "text/plain", "x\n").await;
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(app.get(&location).await.json()["status"], "queued");
    assert_eq!(app.get(&format!("{location}/clusters")).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn json_that_is_not_understood_is_refused_with_what_was_expected() {
    let app = TestApp::idle().await;
    for body in ["{", "{}", r#"{"paht": "/x"}"#, r#"{"path": "a", "sample": "b"}"#] {
        let answer = app.post("/api/v1/reports", "application/json", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        answer.problem();
    }
    assert_eq!(app.get("/api/v1/reports").await.json()["total"], 0);
}

#[tokio::test]
async fn probes_tell_live_from_ready() {
    let app = TestApp::idle().await;
    assert_eq!(app.get("/health/live").await.status, StatusCode::OK);
    assert_eq!(app.get("/health/ready").await.status, StatusCode::OK);
    let metrics = app.get("/metrics").await.text();
    assert!(metrics.contains("logkin_http_requests_total{") && metrics.ends_with("# EOF\n"), "{metrics}");
    app.store.close().await;
    assert_eq!(app.get("/health/live").await.status, StatusCode::OK);
    assert_eq!(app.get("/health/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn every_address_in_the_written_api_answers() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", "x 1\nx 2\n").await;
    let clusters = app.get(&format!("{report}/clusters")).await.json();
    let id = report.rsplit('/').next().unwrap();
    let document: Value = serde_json::from_str(ROUTES).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 10);
    for (path, _) in paths.iter().filter(|(_, verbs)| verbs.get("get").is_some()) {
        let path = path.replace("{id}", id).replace("{cluster}", clusters["items"][0]["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn answers_have_the_members_the_written_api_says() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let clusters = app.get(&format!("{report}/clusters")).await.json();
    let id = clusters["items"][0]["id"].as_str().unwrap();
    let lines = app.get(&format!("{report}/clusters/{id}/lines")).await.json();
    let schemas = &serde_json::from_str::<Value>(ROUTES).unwrap()["components"]["schemas"];
    let answers = [
        ("Report", app.get(&report).await.json()),
        ("Cluster", app.get(&format!("{report}/clusters/{id}")).await.json()),
        ("Line", lines["items"][0].clone()),
        ("Problem", app.get("/api/v1/reports/x").await.json()),
    ];
    for (name, answer) in answers {
        let said: Vec<_> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let mut given: Vec<_> = answer.as_object().unwrap().keys().collect();
        given.sort();
        let mut sorted = said.clone();
        sorted.sort();
        assert_eq!(given, sorted, "{name}");
    }
}

#[tokio::test]
async fn a_broader_view_has_fewer_clusters_and_exactly_the_same_lines() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let mut before = usize::MAX;
    for similarity in ["1", "0.5", "0.3", "0"] {
        let clusters = app.get(&format!("{report}/clusters?similarity={similarity}")).await.json();
        let items = clusters["items"].as_array().unwrap();
        assert!(items.len() <= before, "{similarity}");
        before = items.len();
        let mut sum = 0;
        for cluster in items {
            let id = cluster["id"].as_str().unwrap();
            let lines =
                app.get(&format!("{report}/clusters/{id}/lines?similarity={similarity}&limit=1000")).await.json();
            assert_eq!(lines["items"].as_array().unwrap().len() as u64, cluster["lines"].as_u64().unwrap());
            sum += cluster["lines"].as_u64().unwrap();
            let why = app.get(&format!("{report}/clusters/{id}/explanation?similarity={similarity}")).await.json();
            assert_eq!(why["lines"], cluster["lines"]);
        }
        assert_eq!(sum, 83);
        assert_eq!(
            app.get(&format!("{report}?similarity={similarity}")).await.json()["totals"]["clusters"],
            items.len()
        );
    }
    assert_eq!(before, 1);
    let refused = app.get(&format!("{report}/clusters?similarity=2")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}
