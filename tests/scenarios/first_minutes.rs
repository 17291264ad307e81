use std::{env, fs};

use e2e::{Browser, Service, repository, sample_file};

use crate::page;

/// The sample whose table stands in the README.
const SHOWN: &str = "nginx-error.log";

#[test]
fn one_command_prints_one_line_with_the_address_of_a_page_that_works() {
    let service = Service::up(3).start();
    let api = service.api();
    let home = api.get("/");
    assert_eq!((home.status, home.content_type.starts_with("text/html")), (200, true));
    assert_eq!(api.get("/health/ready").status, 200);
    let printed = service.stop();
    assert_eq!(printed.matches("logkin is ready: http://127.0.0.1:").count(), 1, "{printed}");
}

#[test]
fn the_home_page_offers_every_sample_log() {
    let service = Service::serve().start();
    let offered = page::offered_samples(&service.api().get("/").body);
    let listed: std::collections::BTreeSet<String> = e2e::samples().into_iter().map(|sample| sample.name).collect();
    assert_eq!(offered, listed);
}

#[test]
fn a_click_on_a_sample_leads_to_its_table_and_the_counts_are_right() {
    let Some(browser) = Browser::start() else { return };
    let service = Service::up(3).start();
    browser.open(service.url(), 1280, 900);
    browser.click(&page::sample_button(SHOWN));
    browser.wait_for(page::ROWS);
    let id = page::report_id(&browser.url());
    let (report, clusters) = (service.api().report(&id), service.api().clusters(&id));
    assert_eq!(report["totals"]["lines"], sample_file(SHOWN).lines);
    let shown: Vec<u64> = browser.all_text(page::LINES).iter().map(|text| page::number(text)).collect();
    let counted: Vec<u64> = clusters.iter().map(|cluster| cluster["lines"].as_u64().unwrap()).collect();
    assert!(shown.len() > 5 && counted.starts_with(&shown), "{shown:?} of {counted:?}");
    let picture = browser.screenshot();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{} bytes", picture.len());
    if env::var_os("LOGKIN_BLESS").is_some() {
        fs::write(repository().join("docs/screenshot.png"), picture).unwrap();
    }
}
