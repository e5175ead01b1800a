//! `/v1`: one file a resource, and beside them what all routes have in common.

mod accounts;
mod bodies;
mod credits;
mod docs;
mod keys;
mod lists;
mod messages;
mod needs;
mod once;
mod people;
mod permissions;
mod price_lists;
mod several;

use serde_json::{Value, json};

use crate::house::{Answer, House, Request};

impl House {
    /// A request to `/v1` with a key.
    pub fn v1<'a>(&'a self, key: &str, method: &'static str, target: impl Into<String>) -> Request<'a> {
        self.bare(method, target).header("X-Api-Key", key)
    }

    /// What is answered to a body.
    pub async fn posted(&self, key: &str, target: impl Into<String>, body: &Value) -> Answer {
        self.v1(key, "POST", target).json_body(body).send().await
    }

    /// What is got, which must be there.
    pub async fn got(&self, key: &str, target: impl Into<String>) -> Value {
        let answer = self.v1(key, "GET", target).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    }
}

impl Answer {
    /// The code of a problem, which must be one in every part.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        let explained = format!("https://gateway.example.test/docs/problems#{code}");
        assert_eq!(problem["type"], json!(explained));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        problem
    }

    /// That a field is wrong; gives the reason.
    pub fn wrong_field(&self, name: &str) -> String {
        let problem = self.problem(422, "validation");
        let errors = problem["errors"].as_array().unwrap();
        let found = errors.iter().find(|error| error["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {problem}"))["reason"].as_str().unwrap().to_owned()
    }
}
