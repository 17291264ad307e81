use std::collections::BTreeMap;

use logkin_engine::evaluate::label_messages;
use proptest::{collection::btree_set, prelude::*};

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
