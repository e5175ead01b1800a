//! The table of routes: every URL of this door, by method, with what a caller needs there. The router
//! is built from it, so no route is without a row; a test asks each row on a running server as every
//! kind of caller.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use domain::key::Scope;
use domain::permission::Action;

use crate::Api;

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it tells nothing of anybody.
    Nothing,
    /// A key that works.
    Key,
    /// A key that works and has this scope; and this is what is done, in the words of
    /// [`domain::permission`].
    Right(Scope, Action),
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// The path as routers and OpenAPI write it: `/v1/keys/{key}`.
    pub path: String,
    /// What a caller needs.
    pub needs: Needs,
}

impl Row {
    /// Whether it changes something, so that a suspended account and a sandbox key may not.
    pub fn changes(&self) -> bool {
        self.method != Method::GET
    }
}

/// A router that grows row by row.
#[derive(Default)]
pub(crate) struct Table {
    pub router: Router<Api>,
    pub rows: Vec<Row>,
}

impl Table {
    /// Adds a handler for some methods of a path.
    pub fn on<H, T>(mut self, methods: &[Method], path: &'static str, needs: Needs, handler: H) -> Table
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        for method in methods {
            let filter = MethodFilter::try_from(method.clone()).expect("only methods that routers know");
            self.router = self.router.route(path, on(filter, handler.clone()));
            self.rows.push(Row { method: method.clone(), path: path.to_owned(), needs });
        }
        self
    }
}
