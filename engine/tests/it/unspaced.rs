use std::collections::BTreeMap;

use logkin_engine::evaluate::label_messages;
use proptest::{collection::btree_set, prelude::*};

use crate::harness::Lot;

const FAMILIES: [&str; 16] =
    ["赵", "钱", "孙", "李", "周", "吴", "郑", "王", "冯", "陈", "褚", "卫", "蒋", "沈", "韩", "杨"];
const GIVEN: [&str; 16] = [
    "文", "明", "建军", "志刚", "春花", "雪", "思思", "宇轩", "梓涵", "若兰", "子墨", "俊杰", "雨桐", "天佑", "丽华",
    "浩",
];

/// People, by their family and given names, which many of them share.
fn people() -> impl Strategy<Value = Vec<String>> {
    btree_set((0..FAMILIES.len(), 0..GIVEN.len()), 20..160).prop_map(|people| {
        people.into_iter().map(|(family, given)| format!("{}{}", FAMILIES[family], GIVEN[given])).collect()
    })
}

/// How many lines each template has.
fn templates(lines: &[String]) -> BTreeMap<String, usize> {
    let labels = label_messages(lines.iter().map(String::as_bytes), 0.5);
    let mut found = BTreeMap::new();
    for cluster in &labels.clusters {
        *found.entry(labels.templates[*cluster].text()).or_default() += 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn names_in_sentences_without_blanks_are_variables_whoever_shares_them(people in people(), stride in 1_usize..19) {
        let other = |i: usize| &people[(i * stride + i / people.len() + 7) % people.len()];
        let lines: Vec<String> = (0..people.len() * 3)
            .map(|i| format!("用户{}向用户{}转账{}元", people[i % people.len()], other(i), i + 1))
            .collect();
        let found = templates(&lines);
        prop_assert_eq!(found, BTreeMap::from([("用户<*>向用户<*>转账<*>元".to_owned(), lines.len())]));
    }

    #[test]
    fn what_sentences_without_blanks_say_of_names_keeps_them_apart(people in people()) {
        let lines: Vec<String> =
            people.iter().flat_map(|name| [format!("用户{name}登录成功"), format!("用户{name}登录失败")]).collect();
        let found = templates(&lines);
        let expected = ["用户<*>登录成功", "用户<*>登录失败"].map(|template| (template.to_owned(), people.len()));
        prop_assert_eq!(found, BTreeMap::from(expected));
    }
}

const CITIES: [&str; 10] = ["東京", "大阪", "名古屋", "佐々木", "サーバー", "京都", "横浜", "神戸", "仙台", "広島"];

/// Lists of 1 to `longest` of the words, `apart`.
fn lists(words: &[&str], longest: u64, apart: &str, count: usize) -> Vec<String> {
    let mut lot = Lot(longest);
    let mut list = || {
        let items: Vec<&str> =
            (0..=lot.below(longest)).map(|_| words[lot.below(words.len() as u64) as usize]).collect();
        items.join(apart)
    };
    (0..count).map(|_| list()).collect()
}

#[test]
fn lists_of_names_without_blanks_are_one_variable() {
    let names = ["张伟", "王芳", "李娜", "刘洋", "陈静", "杨勇", "赵磊", "黄艳", "周杰", "吴涛", "欧阳修", "诸葛亮"];
    let cases: [(&[&str], &str, &str, &str, &str); 6] = [
        (&names, "、", "在线用户：", "", "会议开始"),
        (&names, "、", "用户", "已登录系统", "用户登录系统失败"),
        (&names, "、", "在线用户（", "）更新", "会议开始"),
        (&CITIES, "、", "接続先：", "", "接続を開始します"),
        (&CITIES, "、", "接続先は", "です", "接続を開始します"),
        (&CITIES, "、", "ノード「", "」が参加しました", "接続を開始します"),
    ];
    for (words, apart, before, behind, other) in cases {
        for (longest, count) in [(15, 60), (15, 600), (5, 300)] {
            let lines = lists(words, longest, apart, count).into_iter().map(|list| format!("{before}{list}{behind}"));
            let lines: Vec<String> = lines.chain((0..count).map(|_| other.to_owned())).collect();
            let found: Vec<usize> = templates(&lines).into_values().collect();
            assert_eq!(found, [count; 2], "{before}{behind} {longest} {:?}", templates(&lines));
        }
    }
}

#[test]
fn names_before_a_title_are_names_whatever_they_have_in_common() {
    let names =
        ["山田太郎", "佐藤太郎", "鈴木太郎", "山田花子", "佐藤花子", "鈴木花子", "山田一郎", "佐藤一郎", "鈴木一郎"];
    let line = |name: &str| [format!("{name}さんがログインしました"), format!("{name}さんがログアウトしました")];
    let lines: Vec<String> = names.iter().cycle().take(180).flat_map(|name| line(name)).collect();
    let expected =
        ["<*>さんがログアウトしました", "<*>さんがログインしました"].map(|template| (template.to_owned(), 180));
    assert_eq!(templates(&lines), BTreeMap::from(expected));
}

#[test]
fn names_in_thai_sentences_are_variables_and_what_is_said_of_them_is_not() {
    let names = [
        "สมชาย",
        "สมหญิง",
        "วิชัย",
        "ประยุทธ์",
        "อนงค์",
        "กมล",
        "ปราณี",
        "สุดา",
        "มานี",
        "ชูใจ",
        "ปิติ",
        "วีระ",
        "ดวงใจ",
        "จันทร์",
        "นภา",
        "พิมพ์",
        "อรุณ",
        "บุญมี",
        "ทองดี",
        "มาลี",
        "สมศักดิ์",
        "สุรชัย",
        "นารี",
        "วรรณา",
    ];
    for count in [30, 100, 300] {
        let mut lot = Lot(count as u64);
        let mut name = || names[lot.below(names.len() as u64) as usize];
        let line = |i: usize| match i % 4 {
            0 => format!("ผู้ใช้{}เข้าสู่ระบบจาก10.0.0.{}", name(), i % 250),
            1 => format!("ผู้ใช้{}ออกจากระบบ", name()),
            2 => format!("คำขอ{i}ของผู้ใช้{}ถูกปฏิเสธ", name()),
            _ => format!("คำขอ{i}ของผู้ใช้{}ไม่ถูกปฏิเสธ", name()),
        };
        let lines: Vec<String> = (0..4 * count).map(line).collect();
        let expected =
            ["ผู้ใช้<*>เข้าสู่ระบบจาก<*>", "ผู้ใช้<*>ออกจากระบบ", "คำขอ<*>ของผู้ใช้<*>ถูกปฏิเสธ", "คำขอ<*>ของผู้ใช้<*>ไม่ถูกปฏิเสธ"];
        assert_eq!(templates(&lines), BTreeMap::from(expected.map(|template| (template.to_owned(), count))));
    }
}

#[test]
fn vowels_that_stand_before_nothing_are_characters_all_the_same() {
    for message in ["__::\u{e44}\\\\O&\\", "\u{e40}", "\u{e40} x", "\u{e44}\u{e40}1"] {
        let labels = label_messages([message.as_bytes()], 0.14);
        assert!(labels.templates[0].spans(message.as_bytes()).is_some(), "{message}");
    }
}
