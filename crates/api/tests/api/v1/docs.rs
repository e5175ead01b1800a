//! `/v1/openapi.json` and `/docs`.

use std::collections::BTreeSet;

use api::Needs;
use serde_json::Value;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_every_route_and_all_that_can_go_wrong() {
    let house = House::new().await;
    let answer = house.bare("GET", "/v1/openapi.json").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let openapi = answer.json();
    assert_eq!(openapi["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            for needed in ["summary", "description", "tags", "security"] {
                assert!(operation.get(needed).is_some(), "{method} {path} has no {needed}");
            }
            let responses = operation["responses"].as_object().unwrap();
            for status in ["401", "403", "404", "422", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            for parameter in operation["parameters"].as_array().unwrap() {
                let name = &parameter["name"];
                assert!(parameter["description"].is_string(), "{method} {path}: {name} is not described");
            }
        }
    }
    let rows = api::table();
    let of_v1 = rows.iter().filter(|row| row.path.starts_with("/v1/") && row.needs != Needs::Nothing);
    let of_v1: BTreeSet<_> = of_v1.map(|row| (row.method.to_string(), row.path.clone())).collect();
    assert_eq!(described, of_v1);
    let tags: BTreeSet<&str> =
        openapi["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for (name, schema) in openapi["components"]["schemas"].as_object().unwrap() {
        let fields = schema["properties"].as_object().into_iter().flatten();
        for (field, of) in fields {
            let described = [&of["description"], &of["$ref"], &of["oneOf"][0]["description"]]
                .iter()
                .any(|v| v.is_string());
            assert!(described, "{name}.{field} is not described: {of}");
        }
    }
    let used: BTreeSet<&str> = tags_of(&openapi);
    assert!(used.is_subset(&tags), "{used:?}");
}

fn tags_of(openapi: &Value) -> BTreeSet<&str> {
    let items = openapi["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    operations
        .flat_map(|operation| operation["tags"].as_array().unwrap())
        .map(|tag| tag.as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_comes_from_here_alone() {
    let house = House::new().await;
    let to = house.bare("GET", "/docs").send().await;
    assert_eq!((to.status, to.header("location")), (308, Some("docs/")));
    for (target, media) in [
        ("/docs/", "text/html"),
        ("/docs/problems", "text/html"),
        ("/docs/begin.js", "text/javascript"),
        ("/docs/branchline.css", "text/css"),
        ("/docs/icon.svg", "image/svg+xml"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
    ] {
        let answer = house.bare("GET", target).send().await;
        assert_eq!(answer.status, 200, "{target}");
        assert!(answer.header("content-type").unwrap().starts_with(media), "{target}: {:?}", answer.headers);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self'"), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        if media == "text/html" {
            for outside in ["http://", "https://", "src=\"//", "<script>", " style=", " onload="] {
                assert!(!answer.body.contains(outside), "{target} has {outside}");
            }
        }
    }
    for target in ["/docs/index.html", "/docs/oauth2-redirect.html", "/docs/..%2f", "/docs/x"] {
        assert_eq!(house.bare("GET", target).send().await.status, 404, "{target}");
    }
    let problems = house.bare("GET", "/docs/problems").send().await.body;
    assert!(problems.contains("<section id=\"insufficient_funds\">"));
}
