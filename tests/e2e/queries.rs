//! The queries we ask are valid in the schemas that the services publish.

use std::path::Path;
use tests::program::{checkout, command, run_with};

/// Validates the document in the first file against the schema in the second; prints what is wrong, then a count.
/// The schema is taken as it is: GitHub's own defines a field twice.
const VALIDATE: &str = r"
import { readFileSync } from 'node:fs';
const [library, query, schema] = process.argv.slice(2);
const { buildSchema, parse, validate } = await import(library);
const text = (file) => readFileSync(file, 'utf8');
const document = parse(text(query));
for (const fault of validate(buildSchema(text(schema), { assumeValidSDL: true }), document)) console.log(String(fault));
console.log(`${document.definitions.filter((one) => one.kind === 'OperationDefinition').length} operations`);
";

#[track_caller]
fn validate(query: &str, schema: &Path) -> String {
    let packages = checkout().join(".cache/schemas/node_modules");
    assert!(packages.exists(), "{} is missing: run scripts/needs first", packages.display());
    let mut node = command("node", Path::new("/"));
    node.args(["--input-type=module", "-"]).arg(packages.join("graphql/index.js"));
    node.arg(checkout().join(query)).arg(schema);
    run_with(&mut node, VALIDATE.as_bytes()).success()
}

#[test]
fn github_knows_what_it_is_asked() {
    let schema = checkout().join(".cache/schemas/node_modules/@octokit/graphql-schema/schema.graphql");
    assert_eq!(validate("collector/src/source/github/queries.graphql", &schema), "7 operations\n");
}

#[test]
fn linear_knows_what_it_is_asked() {
    let schema = checkout().join(".cache/schemas/linear.graphql");
    assert_eq!(validate("collector/src/source/linear/queries.graphql", &schema), "6 operations\n");
}
