// Contracts beside this file to artifacts: the ABI, the bytecode, and the compiler and settings that make it again.
//
//   npm install && node compile.js [TO [FROM]]      the directories: artifacts/ and the one of this file by default
//
// Needs Node 20 or newer and the package `solc` in the version that package.json names. Never looks at the network.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const out = process.argv[2] || path.join(__dirname, "artifacts");
const here = process.argv[3] || __dirname;
const LIMIT = 24576; // bytes of a contract: EIP-170

const settings = {
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  // No hash of the source at the end: the same code is the same bytes, wherever it is compiled.
  metadata: { bytecodeHash: "none", appendCBOR: false },
};

const sources = {};
for (const name of fs.readdirSync(here).sort()) {
  if (name.endsWith(".sol")) sources[name] = { content: fs.readFileSync(path.join(here, name), "utf8") };
}
const outputSelection = {
  "*": { "*": ["abi", "userdoc", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] },
};
const input = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const found of output.errors || []) {
  console.error(found.formattedMessage);
  if (found.severity === "error") process.exitCode = 1;
}
if (!process.exitCode) {
  fs.mkdirSync(out, { recursive: true });
  for (const [file, contracts] of Object.entries(output.contracts)) {
    for (const [name, made] of Object.entries(contracts)) {
      const size = made.evm.deployedBytecode.object.length / 2;
      const artifact = {
        contract: name,
        source: file,
        compiler: solc.version(),
        settings,
        size,
        abi: made.abi,
        userdoc: made.userdoc,
        bytecode: "0x" + made.evm.bytecode.object,
        deployedBytecode: "0x" + made.evm.deployedBytecode.object,
      };
      fs.writeFileSync(path.join(out, name + ".json"), JSON.stringify(artifact, null, 1) + "\n");
      console.log(`${name}  ${size} bytes`);
      if (size > LIMIT) {
        console.error(`${name} is larger than ${LIMIT} bytes and cannot be deployed`);
        process.exitCode = 1;
      }
    }
  }
}
