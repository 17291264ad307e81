//! Pages, as a browser without scripts sees them.

use axum::http::{Method, StatusCode};

use crate::harness::{TestApp, attributes, request, texts, three_kinds};

#[tokio::test]
async fn the_start_page_offers_upload_path_samples_and_reports() {
    let app = TestApp::start().await;
    app.analyse("mine.log", three_kinds()).await;
    let page = app.page("/").await;
    assert_eq!(attributes(&page, "form.drop", "action"), ["/reports"]);
    assert_eq!(attributes(&page, ".samples button", "value").len(), logkin::samples::all().len());
    assert_eq!(texts(&page, ".path + p code"), [app.logs().display().to_string()]);
    assert_eq!(texts(&page, "tbody th a"), ["mine.log"]);
    assert_eq!(texts(&page, "tbody .status"), ["done"]);
}

#[tokio::test]
async fn the_plain_form_leads_to_the_reports_page() {
    let app = TestApp::start().await;
    let sample = &logkin::samples::all()[0].name;
    let answer = app.post("/reports", "application/x-www-form-urlencoded", format!("sample={sample}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.starts_with("/reports/"));
    assert_eq!(texts(&app.page(location).await, "h1"), [sample.as_str()]);
}

#[tokio::test]
async fn a_form_without_a_file_says_so() {
    let app = TestApp::start().await;
    let body = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
    let answer = app.post("/reports", "multipart/form-data; boundary=x", body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("no file was chosen"));
}

#[tokio::test]
async fn a_waiting_report_refreshes_itself_even_without_scripts() {
    let app = TestApp::idle().await;
    let report = app.post("/api/v1/reports?name=a.log", "text/plain", "x\n").await.json();
    let page = app.browse(report["url"].as_str().unwrap()).await;
    assert!(page.text().contains("<noscript><meta http-equiv=\"refresh\""));
    assert_eq!(attributes(&page.html(), "[data-poll]", "data-poll").len(), 1);
}

#[tokio::test]
async fn the_table_closes_its_sum_and_agrees_with_the_api() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await;
    let page = app.page(&report.replace("/api/v1", "")).await;
    assert!(texts(&page, ".equation")[0].starts_with("83 lines = 83 in 3 clusters + 0 set aside"));
    assert_eq!(texts(&page, ".clusters tbody td.number"), ["60", "20", "3"]);
    let clusters = app.get(&format!("{report}/clusters")).await.json();
    let ids: Vec<_> = clusters["items"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    let links = attributes(&page, ".clusters tbody th a", "href");
    assert_eq!(links.iter().map(|link| link.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ids);
    assert!(!texts(&page, ".clusters tbody var").is_empty());
}

#[tokio::test]
async fn filters_and_sorting_are_addresses() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await.replace("/api/v1", "");
    let page = app.page(&format!("{report}?q=logged")).await;
    assert_eq!(texts(&page, ".clusters tbody td.number"), ["60"]);
    assert_eq!(texts(&page, "#showing"), ["Showing 1–1 of 1 clusters, filtered from 3."]);
    let page = app.page(&report).await;
    let reversed = &attributes(&page, "th[aria-sort=descending] a", "href")[0];
    assert_eq!(texts(&app.page(reversed).await, ".clusters tbody td.number"), ["3", "20", "60"]);
    let page = app.page(&format!("{report}?q=nothing+like+it")).await;
    assert_eq!(texts(&page, "#showing"), ["No cluster fits; all 3 are hidden by the filter."]);
}

#[tokio::test]
async fn a_cluster_shows_exactly_its_lines_page_by_page() {
    let app = TestApp::start().await;
    let log: String = (0..250).map(|n| format!("worker {n} is done\n")).collect();
    let report = app.analyse("a.log", log).await.replace("/api/v1", "");
    let mut next = attributes(&app.page(&report).await, ".clusters tbody th a", "href");
    let mut lines = Vec::new();
    while let [address] = next.as_slice() {
        let page = app.page(address).await;
        lines.extend(texts(&page, ".lines .text"));
        next = attributes(&page, ".pages a[rel=next]", "href");
    }
    assert_eq!(lines.len(), 250);
    assert_eq!((lines[0].as_str(), lines[249].as_str()), ("worker 0 is done", "worker 249 is done"));
}

#[tokio::test]
async fn log_text_is_escaped_and_what_is_not_printable_is_shown() {
    let app = TestApp::start().await;
    let log = "<script>alert(1)</script> \x1b[31mred\u{202e}dlrow\n";
    let report = app.analyse("%3Cb%3E.log", log).await.replace("/api/v1", "");
    for address in [report.clone(), attributes(&app.page(&report).await, "tbody th a", "href").remove(0)] {
        let html = app.browse(&address).await.text();
        assert!(!html.contains("<script>alert") && !html.contains('\x1b') && !html.contains('\u{202e}'), "{html}");
        assert!(!html.contains("<b>.log"), "{html}");
        assert!(html.contains("&#60;U+202E&#62;"), "{html}");
    }
}

#[tokio::test]
async fn the_picker_lists_what_may_be_opened_and_nothing_else() {
    let app = TestApp::start().await;
    app.log("here.log", "x\n");
    std::fs::create_dir(app.logs().join("old")).unwrap();
    std::os::unix::fs::symlink("/etc", app.logs().join("outside")).unwrap();
    let page = app.page("/browse").await;
    assert_eq!(texts(&page, "tbody th"), ["old/", "here.log"]);
    let path = app.logs().join("here.log").display().to_string();
    assert_eq!(attributes(&page, "button[name=path]", "value"), [path]);
    assert_eq!(app.browse("/browse?path=/etc").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_unknown_report_is_a_page_with_a_way_onward() {
    let app = TestApp::idle().await;
    let answer = app.browse("/reports/nope").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(attributes(&answer.html(), ".onward a", "href"), ["/reports", "/"]);
}

#[tokio::test]
async fn every_page_is_strict_about_what_it_runs_and_loads() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await.replace("/api/v1", "");
    for path in ["/", "/reports", "/browse", &report, "/nope"] {
        let answer = app.browse(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let page = answer.html();
        for (selector, attribute) in [("script", "src"), ("link", "href"), ("img", "src")] {
            assert!(attributes(&page, selector, attribute).iter().all(|at| at.starts_with("/assets/")), "{path}");
        }
        assert!(texts(&page, "script").iter().all(String::is_empty), "{path}");
        assert!(attributes(&page, "*", "style").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_names_that_change() {
    let app = TestApp::idle().await;
    let page = app.page("/").await;
    let style = &attributes(&page, "link[rel=stylesheet]", "href")[0];
    let answer = app.get(style).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"text/css; charset=utf-8".parse().unwrap())
    );
    assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn another_sites_page_can_neither_act_nor_reach_us_by_name() {
    let app = TestApp::idle().await;
    let mut forged = request(Method::POST, "/api/v1/reports?name=x", "x\n");
    forged.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    let answer = app.send(forged).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.problem();
    let mut rebound = request(Method::GET, "/api/v1/reports", "");
    rebound.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(app.send(rebound).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn what_is_worth_knowing_is_said_quietly_and_is_no_problem() {
    let app = TestApp::start().await;
    let fields: Vec<String> = (0..80).map(|n| format!("\"field{n}\":{n}")).collect();
    let report = app.analyse("a.log", format!("{{\"msg\":\"a\",{}}}\n", fields.join(","))).await;
    let note = app.get(&report).await.json()["notes"][0].as_str().unwrap().to_owned();
    assert!(note.starts_with("lines have more different fields"), "{note}");
    let page = app.page(&report.replace("/api/v1", "")).await;
    assert!(texts(&page, "p.quiet").contains(&note));
    assert!(texts(&page, "p.problem").is_empty());
}

#[tokio::test]
async fn broader_and_narrower_are_links_that_keep_their_view() {
    let app = TestApp::start().await;
    let report = app.analyse("a.log", three_kinds()).await.replace("/api/v1", "");
    let page = app.page(&report).await;
    let mut broader = attributes(&page, ".views a", "href")[0].clone();
    let mut page = app.page(&broader).await;
    for _ in 0..20 {
        let links = attributes(&page, ".views a", "href");
        let texts = texts(&page, ".views a");
        let Some(at) = texts.iter().position(|text| text == "Broader") else { break };
        broader.clone_from(&links[at]);
        page = app.page(&broader).await;
    }
    assert!(broader.ends_with("similarity=0"), "{broader}");
    assert_eq!(texts(&page, ".clusters tbody td.number"), ["83"]);
    let cluster = &attributes(&page, ".clusters tbody th a", "href")[0];
    let shown = app.page(cluster).await;
    assert_eq!(attributes(&shown, ".lines tbody tr", "class").len(), 0);
    assert!(texts(&shown, "p.quiet").iter().any(|text| text.contains("of 83 lines")), "{cluster}");
    assert_eq!(attributes(&shown, ".crumbs a", "href"), [format!("{report}?similarity=0")]);
}
