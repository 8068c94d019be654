//! The description of the routes, read back: what it lists, and whether an answer is listed.

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

/// The description.
pub(crate) struct Spec(pub(crate) Value);

/// The path of the description that a request's path is one of.
pub(crate) fn template(path: &str) -> &str {
    match path.strip_prefix("/sse/") {
        Some("openapi.json") | None => path,
        Some(_) => "/sse/{session}",
    }
}

impl Spec {
    pub(crate) fn load() -> Self {
        Self(serde_json::from_str(include_str!("../../../src/openapi.json")).expect("the description is JSON"))
    }

    /// An answer is one of those listed, in status and media type.
    pub(crate) fn check(&self, method: &Method, path: &str, response: &Response) {
        let verb = method.as_str().to_lowercase();
        if !matches!(verb.as_str(), "get" | "post") {
            return;
        }
        let operation = &self.0["paths"][template(path)][&verb];
        if operation.is_null() {
            assert_eq!(response.status(), 405, "{method} {path} is not described");
            return;
        }
        let status = response.status();
        // It has no body, and is described with the answer that has one.
        if status == 304 {
            return;
        }
        let listed = &operation["responses"][status.as_str()];
        assert!(listed.is_object(), "{method} {path}: {status} is not described");
        let media = response.headers()["content-type"].to_str().expect("a media type");
        assert!(listed["content"][media].is_object(), "{method} {path}: {status} as {media} is not described");
        for (header, _) in listed["headers"].as_object().into_iter().flatten() {
            assert!(response.headers().contains_key(header), "{method} {path}: {status} lacks {header}");
        }
    }

    /// An answer's frame has the shape described.
    pub(crate) fn check_frame(&self, frame: &Value) {
        let name = if frame["type"] == "error" { "Error" } else { "Answer" };
        let schema = &self.0["components"]["schemas"][name];
        if let Err(why) = self.fits(schema, frame) {
            panic!("{frame} is no {name}: {why}");
        }
    }

    /// Whether a value is of a schema; as much of JSON Schema as the description uses.
    pub(crate) fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        if let Some(target) = schema["$ref"].as_str() {
            let pointer = target.strip_prefix('#').expect("a local reference");
            let schema = self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing at {target}"));
            return self.fits(schema, value);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| self.fits(choice, value).is_ok()).count();
            return (fitting == 1).then_some(()).ok_or_else(|| format!("{fitting} choices fit {value}"));
        }
        if let Some(values) = schema["enum"].as_array() {
            return values.contains(value).then_some(()).ok_or_else(|| format!("{value} is not listed"));
        }
        if let Some(constant) = schema.get("const") {
            return (constant == value).then_some(()).ok_or_else(|| format!("{value} is not {constant}"));
        }
        if let Some(types) = schema["type"].as_array() {
            let is_one = types.iter().any(|kind| {
                let mut schema = schema.clone();
                schema["type"] = kind.clone();
                self.fits(&schema, value).is_ok()
            });
            return is_one.then_some(()).ok_or_else(|| format!("{value} is none of {types:?}"));
        }
        match schema["type"].as_str() {
            // It says nothing of what it is.
            None if schema.is_object() => Ok(()),
            Some("object") => self.fits_object(schema, value),
            Some("array") => {
                let items = value.as_array().ok_or("no list")?;
                items.iter().try_for_each(|item| self.fits(&schema["items"], item))
            }
            Some("string") if value.is_string() => Ok(()),
            Some("integer") if value.is_u64() => Ok(()),
            Some("boolean") if value.is_boolean() => Ok(()),
            Some("null") if value.is_null() => Ok(()),
            _ => Err(format!("{value} is no {}", schema["type"])),
        }
    }

    /// Stricter than JSON Schema: what the description does not name, no answer has, but where it says that there may be anything.
    fn fits_object(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let fields = value.as_object().ok_or("no object")?;
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if !fields.contains_key(name) {
                return Err(format!("{name} is missing"));
            }
        }
        for (name, value) in fields.iter().filter(|_| schema["additionalProperties"] != true) {
            let schema = schema["properties"].get(name).ok_or_else(|| format!("{name} is not described"))?;
            self.fits(schema, value).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }
}
