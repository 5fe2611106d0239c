// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Roots of decision logs, kept where nobody can take them back
/// @notice
/// A root stands for all records of a log up to a size. Whoever has the log computes the root for that size and compares:
/// what a root covers has not changed since the block in which it was anchored.
/// @dev Written by hand. A log is named by the leaf hash of its first record, roots are those of RFC 9162. Only the one
/// who deployed this anchors. Whether a root continues the one before is not checked here: whoever checks a log against
/// its roots finds out, since one log cannot have two histories.
contract Anchor {
    address public immutable OPERATOR;

    /// How many records of a log the latest root covers, that root, and the block in which it was anchored; all 0 when
    /// there is none.
    mapping(bytes32 log => uint256) public sizeOf;
    mapping(bytes32 log => bytes32) public rootOf;
    mapping(bytes32 log => uint256) public blockOf;

    /// `previous` is the block of the root before this one, 0 for the first: so all roots of a log are found from the
    /// latest one backwards, without looking at any block in which there is none.
    event Anchored(bytes32 indexed log, uint256 indexed size, bytes32 root, uint256 previous);

    /// @notice only the operator anchors
    error OnlyTheOperatorAnchors();
    /// @notice a root that covers as much is there already
    error SizeMustGrow(uint256 size);

    constructor() {
        OPERATOR = msg.sender;
    }

    /// The first `size` records of `log` have this root.
    function anchor(bytes32 log, uint256 size, bytes32 root) external {
        if (msg.sender != OPERATOR) revert OnlyTheOperatorAnchors();
        if (size <= sizeOf[log]) revert SizeMustGrow(sizeOf[log]);

        uint256 previous = blockOf[log];
        sizeOf[log] = size;
        rootOf[log] = root;
        blockOf[log] = block.number;

        emit Anchored(log, size, root, previous);
    }
}
