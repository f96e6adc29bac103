//! Codes that no query text against a sound store produces.

use std::sync::Arc;

use throughline_engine::{
    AttrId, AttrType, Column, CustomerOrdinal, Db, Error, IdentityOrdinal, Schema, Snapshot, Subject,
};

use super::execute;
use crate::diagnostics::Diagnostic;
use crate::plan::interaction::InteractionScope;
use crate::plan::steps::compile_step;
use crate::rows::env::Names;
use crate::rows::{Env, QueryLimit, compile_predicate};
use crate::syntax::ast::{Chains, Name, Op, OpKind, Query, Span, Statement, Step};
use crate::syntax::parse;
use crate::value::Params;

fn codes(found: &[Diagnostic]) -> Vec<&'static str> {
    found.iter().map(|found| found.code).collect()
}

/// A store of which customers' attributes cannot be read.
struct Unreadable {
    schema: Schema,
}

impl Names for Unreadable {
    fn schema(&self) -> &Schema {
        &self.schema
    }
    fn with_symbol(&self, _attr: AttrId, _symbol: u32, read: &mut dyn FnMut(&str)) {
        read("");
    }
    fn find_symbol(&self, _attr: AttrId, _text: &str) -> Option<u32> {
        None
    }
    fn symbol_count(&self, _attr: AttrId) -> usize {
        0
    }
    fn find_customer(&self, _identity: &str) -> Result<Option<CustomerOrdinal>, Error> {
        Ok(None)
    }
    fn find_identity(&self, _identity: &str) -> Result<Option<IdentityOrdinal>, Error> {
        Ok(None)
    }
    fn identity_name(&self, _identity: IdentityOrdinal) -> Result<String, Error> {
        Ok(String::new())
    }
    fn customer_name(&self, _customer: CustomerOrdinal) -> Result<String, Error> {
        Ok(String::new())
    }
    fn customer_column(&self, _attr: AttrId) -> Result<Arc<Column>, Error> {
        Err(Error::invalid("the disk is gone"))
    }
}

#[test]
fn limits_of_a_query_have_codes() {
    let code = |limit: QueryLimit| limit.diagnostic().map(|found| found.code);
    assert_eq!(code(QueryLimit::RowsBytes { limit: 7 }), Some("E390"));
    assert_eq!(code(QueryLimit::PatternStates { span: Span::default() }), Some("E392"));
}

#[test]
fn a_store_that_cannot_be_read() {
    let mut schema = Schema::new();
    schema.declare(Subject::Customer, "plan", AttrType::Symbol, None).expect("a good name");
    let (names, params, mut sink) = (Unreadable { schema }, Params::new(), Vec::new());
    let env = Env::new(&names, &params);
    let Ok(Statement::Query(query)) = parse("WHERE customer.plan = 'gold' |> INTERACTIONS") else {
        panic!("parses")
    };
    let Some(OpKind::Where(predicate)) = query.ops.first().map(|op| &op.kind) else { panic!("a WHERE") };
    let scope = InteractionScope::new(&names.schema);
    assert!(compile_predicate(predicate, &scope, &env, &mut sink).is_none());
    assert_eq!(codes(&sink), ["E391"]);
}

#[test]
fn a_tree_that_no_text_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(folder.path().join("store")).expect("opens");
    let chains =
        Op { kind: OpKind::Chains(Chains::default()), span: Span::default(), keyword: Span::default() };
    let statement = Statement::Query(Query { ops: vec![chains], span: Span::default() });
    let error = execute(&db, &statement, &Params::new()).expect_err("GAP and MIN are missing");
    assert_eq!(codes(error.diagnostics()), ["E403", "E403"]);
    let (snapshot, params, mut sink): (Snapshot, _, _) = (db.snapshot(), Params::new(), Vec::new());
    let step = Step { labels: vec![Name::new("complaint")], ..Step::default() };
    assert!(compile_step(&step, None, &Env::new(&snapshot, &params), &mut sink).is_none());
    assert_eq!(codes(&sink), ["E405"]);
}
