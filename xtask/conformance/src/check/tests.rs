use serde_json::json;

use super::*;
use crate::spec::Spec;

/// One thing that can be read, and made.
fn spec() -> Spec {
    let id = json!({"type": "string", "pattern": "^[0-9]+$"});
    let thing = json!({
        "type": "object", "required": ["id"],
        "properties": {"id": id, "note": {"type": "string", "nullable": true}},
    });
    let at = json!({"name": "id", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/Id"}});
    let fields = json!({
        "name": "fields", "in": "query",
        "schema": {"type": "array", "items": {"type": "string", "enum": ["id", "note"]}},
    });
    let from = json!({"name": "from", "in": "query", "required": true, "schema": {"type": "string", "minLength": 1}});
    let content = |name: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}});
    let document = json!({
        "openapi": "3.0.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things/{id}.json": {
                "parameters": [at],
                "get": {
                    "operationId": "readThing",
                    "parameters": [fields, from],
                    "security": [{"App": []}],
                    "responses": {
                        "200": {"content": content("Thing")},
                        "default": {"content": content("Error")},
                    },
                },
                "post": {
                    "operationId": "makeThing",
                    "requestBody": {"required": true, "content": content("Thing")},
                    "security": [{"App": []}, {"User": []}],
                    "responses": {"204": {"description": "Made."}},
                },
            },
            "/things/first.json": {"get": {"responses": {"200": {"content": content("Thing")}}}},
        },
        "components": {
            "schemas": {
                "Id": id, "Thing": thing,
                "Error": {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}},
            },
            "securitySchemes": {
                "App": {"type": "http", "scheme": "bearer"},
                "User": {"type": "http", "scheme": "OAuth"},
            },
        },
    });
    Spec::parse(&document.to_string()).unwrap()
}

/// Finds the operation of a request and judges it.
fn judged(method: &str, uri: &str, scheme: &str, body: &str) -> Vec<String> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("{scheme} x"))
        .header("content-type", "application/json; charset=utf-8")
        .body(Bytes::from(body.to_owned()))
        .unwrap();
    let spec = spec();
    let Some((index, values)) = spec.find(request.method(), request.uri().path()) else {
        return vec!["nothing".to_owned()];
    };
    super::request(&spec.operations[index], &values, &request)
}

#[test]
fn good_requests() {
    assert_eq!(judged("GET", "/things/12.json?from=a%20b&fields=id,note", "Bearer", ""), [""; 0]);
    assert_eq!(judged("POST", "/things/12.json", "OAuth", r#"{"id":"1","note":null}"#), [""; 0]);
    assert_eq!(judged("POST", "/things/%31.json", "Bearer", r#"{"id":"1"}"#), [""; 0]);
}

#[test]
fn every_fault_of_a_request_is_found() {
    let get = |query: &str| judged("GET", &format!("/things/12.json{query}"), "Bearer", "");
    let post = |body: &str| judged("POST", "/things/12.json", "OAuth", body);
    let found = [
        judged("GET", "/things", "Bearer", ""),
        judged("PUT", "/things/12.json", "Bearer", ""),
        judged("GET", "/things/x.json?from=a", "Bearer", ""),
        judged("GET", "/things/12.json?from=a", "OAuth", ""),
        judged("GET", "/things/12.json?from=a", "Bearer", "{}"),
        get(""),
        get("?from="),
        get("?from=a&from=b"),
        get("?from=a&fields=id,other"),
        get("?from=a&more=b"),
        post(""),
        post("{"),
        post("{}"),
        post(r#"{"id":7}"#),
        post(r#"{"id":"7","more":1}"#),
    ];
    insta::assert_debug_snapshot!(found);
}

#[test]
fn a_named_path_goes_before_a_parameter() {
    let spec = spec();
    let (index, _) = spec.find(&http::Method::GET, "/things/first.json").unwrap();
    assert_eq!(spec.operations[index].id, "/things/first.json");
}

fn answered(operation: usize, status: u16, content_type: &str, body: &str) -> Vec<Vec<String>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::from(body.to_owned()))
        .unwrap();
    let spec = spec();
    let operation = spec.operations.iter().filter(|o| o.path.contains('{')).nth(operation);
    [Errors::Loose, Errors::Strict].map(|e| answer(operation.unwrap(), &response, e)).into()
}

#[test]
fn good_answers() {
    let good = [Vec::<String>::new(), Vec::new()];
    assert_eq!(answered(0, 200, "application/json; charset=utf-8", r#"{"id":"7"}"#), good);
    assert_eq!(answered(0, 400, "application/json", r#"{"code":7}"#), good);
    assert_eq!(answered(1, 204, "", ""), good);
}

#[test]
fn every_fault_of_an_answer_is_found() {
    let found = [
        answered(0, 200, "application/json", r#"{"id":7}"#),
        answered(0, 200, "application/json", r#"{"id":"7","more":1}"#),
        answered(0, 200, "text/html", r#"{"id":"7"}"#),
        answered(0, 200, "application/json", ""),
        answered(0, 202, "application/json", r#"{"code":7}"#),
        answered(0, 400, "application/json", r#"{"words":"no"}"#),
        answered(0, 400, "application/json", "[]"),
        answered(0, 400, "text/html", "<p>no"),
        answered(1, 204, "", "{}"),
        answered(1, 400, "", ""),
    ];
    insta::assert_debug_snapshot!(found);
}

#[test]
fn descriptions_that_cannot_be_used() {
    let parse = |text: &str| Spec::parse(text).map(|_| ()).unwrap_err();
    let with = |operation: Value| {
        let paths = json!({"/x": {"get": operation}});
        parse(&json!({"openapi": "3.0.0", "paths": paths}).to_string())
    };
    let found = [
        parse("x"),
        parse("{}"),
        parse(r#"{"openapi":"3.1.0"}"#),
        parse(r#"{"openapi":"3.0.0"}"#),
        with(json!({})),
        with(json!({"responses": {"most": {}}})),
        with(json!({"responses": {}, "security": [{"Key": []}]})),
        with(json!({"responses": {}, "parameters": [{"$ref": "#/nowhere"}]})),
        with(json!({"responses": {}, "parameters": [{"name": "x", "in": "cookie"}]})),
        with(json!({"responses": {"200": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Missing"}
        }}}}})),
    ];
    insta::assert_debug_snapshot!(found);
}
