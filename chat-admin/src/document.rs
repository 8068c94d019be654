//! The description of the routes in OpenAPI 3.1, made of the types that they read and write.

use chat_core::RejectCode;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::call::Part;
use super::operation::Operation;
use super::refusal::Refused;

/// Where the schemas of a description stand.
const SCHEMAS: &str = "/components/schemas";

/// A description that is being put together.
pub(crate) struct Document {
    read: SchemaGenerator,
    written: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Default for Document {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        let (read, written) = (settings().for_deserialize(), settings().for_serialize());
        Self { read: read.into_generator(), written: written.into_generator(), paths: Map::new() }
    }
}

impl Document {
    /// Adds an operation that reads and writes these.
    pub(crate) fn add<P: Part, Q: Part, B: Part, A: JsonSchema>(&mut self, operation: &Operation) {
        let mut parameters = self.parameters::<P>("path");
        parameters.extend(self.parameters::<Q>("query"));
        let answer = content("application/json", self.written.subschema_for::<A>().to_value());
        let status = operation.status().as_u16().to_string();
        let mut responses = Map::new();
        responses.insert(status, json!({ "description": "Done.", "content": answer }));
        for (status, codes) in operation.refusals() {
            let codes = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            let refused = content("application/json", self.written.subschema_for::<Refused>().to_value());
            responses
                .insert(status.to_string(), json!({ "description": format!("Refused: {codes}."), "content": refused }));
        }
        let mut described = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "security": [{ "token": [] }],
            "responses": responses,
        });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if !B::IS_NOTHING {
            let body = content("application/json", self.read.subschema_for::<B>().to_value());
            described["requestBody"] = json!({ "required": true, "content": body });
        }
        self.insert(operation.path, operation.verb.name(), described);
    }

    /// The parameters that the fields of a type are.
    fn parameters<T: Part>(&mut self, place: &str) -> Vec<Value> {
        let schema = T::json_schema(&mut self.read);
        let required: Vec<&str> = names(&schema);
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let parameter = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            without_null(&mut schema);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let is_required = place == "path" || required.contains(&name.as_str());
            json!({ "name": name, "in": place, "required": is_required, "description": description, "schema": schema })
        };
        fields.map(parameter).collect()
    }

    fn insert(&mut self, path: &str, verb: &str, described: Value) {
        let operations = self.paths.entry(path).or_insert_with(|| json!({}));
        operations[verb] = described;
    }

    /// The whole of it, with what is answered as text: `is_guarded` says whether a token has to be shown.
    pub(crate) fn finish(mut self, is_guarded: bool) -> Value {
        let refused = |code: RejectCode| {
            let refused = json!({ "$ref": format!("#{SCHEMAS}/Refused") });
            json!({ "description": format!("Refused: `{}`.", code.as_str()), "content": content("application/json", refused) })
        };
        let text = || json!({ "schema": { "type": "string" } });
        self.insert("/metrics", "get", json!({
            "operationId": "metrics",
            "summary": "What the engine counts, as OpenMetrics, or in Prometheus' older text format where that is asked for.",
            "security": [{ "token": [] }],
            "responses": {
                "200": { "description": "The counts.", "content": { "application/openmetrics-text": text(), "text/plain": text() } },
                "401": refused(RejectCode::BadToken),
                "403": refused(RejectCode::Forbidden),
            },
        }));
        self.insert(
            "/healthz",
            "get",
            json!({
                "operationId": "healthz",
                "summary": "Whether the process is alive.",
                "security": [],
                "responses": { "200": { "description": "It is.", "content": { "text/plain": text() } } },
            }),
        );
        self.insert(
            "/readyz",
            "get",
            json!({
                "operationId": "readyz",
                "summary": "Whether clients should be sent here.",
                "security": [],
                "responses": {
                    "200": { "description": "They should.", "content": { "text/plain": text() } },
                    "503": { "description": "They should not, and why.", "content": { "text/plain": text() } },
                },
            }),
        );
        let mut schemas = self.read.take_definitions(true);
        schemas.extend(self.written.take_definitions(true));
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "The operator's door of a chat server",
                "version": "1",
                "license": { "name": "MIT", "identifier": "MIT" },
                "description": "Rooms and people of one engine, and of all servers that share its rooms. What is done in a room goes through its log, in one order with what its members do. Refusals have the codes of the wire protocol.",
            },
            "servers": [{ "url": ".", "description": "The folder that this document is in." }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "The admin token." } },
            },
        });
        if !is_guarded {
            let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
            let operations = operations.filter_map(Value::as_object_mut).flat_map(|operations| operations.values_mut());
            operations.for_each(|operation| operation["security"] = json!([]));
        }
        document
    }
}

fn content(media: &str, schema: Value) -> Value {
    json!({ media: { "schema": schema } })
}

/// The names of the fields that have to be there.
fn names(schema: &Schema) -> Vec<&str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What is not said in a query or a path is left out, and never `null`.
fn without_null(schema: &mut Value) {
    let kinds = schema.get_mut("type").and_then(Value::as_array_mut);
    if let Some(kinds) = kinds {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &kinds[..] {
            schema["type"] = kind.clone();
        }
    }
}
