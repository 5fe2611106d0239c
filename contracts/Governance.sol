// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title mvg.governance
/// @notice
/// Minimal viable governance: members draft proposals, vote with the reputation they held when voting opened, and
/// answer for the outcome with their reputation. Each edge of the lifecycle is one action, and nothing else moves a
/// proposal.
/// @dev Written by `policyctl emit solidity` from the core c0ce22f5fdd98d34 of `mvg.governance`.
/// 44 properties of that specification have the verdict that it states.
/// Times and durations are in milliseconds; `time` is that of the block. Everybody may read everything, and
/// whoever orders the calls of a block sees them before they count.
contract Governance {
    enum Stage {
        Unwritten, Drafted, Submitted, Rejected, VotingOpen, Approved, Defeated, Executing, Monitoring,
        FeedbackLoop, ReputationUpdate, MetaOptimize, Settled, Archived
    }

    enum Ballot {
        None, Yes, No
    }

    /// What is known of each Bot, until the next record.
    struct BotRecord {
        /// How many copies had been made when this record began.
        uint64 since;
        bool members;
        /// Auditors judge outcomes and conduct. Each is a member too.
        bool auditors;
        /// Stored as the difference from the start, which untouched storage so means.
        int128 reputation;
    }

    /// What is known of each Proposal.
    struct ProposalRow {
        Stage stage;
        bool hasProposer;
        bool hasPayload;
        bool withdrawn;
        bool worked;
        /// The proposer's reputation when the proposal was submitted.
        int128 standing;
        int128 voteStart;
        int128 voteEnd;
        int128 readyAt;
        int128 executedAt;
        int128 yes;
        int128 no;
        int128 executions;
        address proposer;
        bytes32 payload;
        /// The numbers of the copies that `snapshot` looks up, the oldest first.
        uint64[] snapshotCopies;
    }

    /// What is known of each Proposal and Bot.
    struct ProposalBotRow {
        Ballot ballot;
        /// How often a voter was counted, and with what weight.
        int128 counted;
        int128 weight;
    }

    /// A deployment chooses these periods and numbers inside the ranges. Every proof below holds for every choice.
    int256 public immutable VOTING_PERIOD;
    /// How long an approved proposal waits, so that everybody can read it and leave.
    int256 public immutable TIMELOCK;
    int256 public immutable DECAY_PERIOD;
    int256 public immutable QUORUM;
    int256 public immutable PROPOSE_THRESHOLD;
    int256 public immutable PROPOSAL_REWARD;
    int256 public immutable PROPOSAL_PENALTY;
    int256 public immutable VOTE_REWARD;
    int256 public immutable VOTE_PENALTY;
    int256 public immutable SECURITY_REWARD;
    int256 public immutable SECURITY_PENALTY;
    int256 public immutable DECAY;

    /// The roll of Bot, which every `for each` walks; beyond this bound nobody gets on it.
    uint256 public constant MOST_BOT = 400;
    address[] private _rollBot;
    mapping(address => bool) private _onRollBot;

    int128 private _decayedAt;
    /// What the meta layer learns from: proposals that came full circle, and those of them that did what they promised.
    int128 private _cycles;
    /// What the meta layer learns from: proposals that came full circle, and those of them that did what they promised.
    int128 private _successes;
    /// How many copies have been made, of what is known of everybody.
    uint64 private _copies;

    /// The oldest first. Whoever has none is as everybody is at the start.
    mapping(address => BotRecord[]) private _botRecords;
    mapping(uint256 => ProposalRow) private _proposalRows;
    mapping(uint256 => mapping(address => ProposalBotRow)) private _proposalBotRows;
    /// Never written: what is known of whoever has no record.
    BotRecord private _botStart;

    event Admit(address indexed principal, address indexed newcomer);
    event Draft(address indexed principal, uint256 indexed proposal, bytes32 indexed what);
    event Submit(address indexed principal, uint256 indexed proposal);
    event OpenVoting(uint256 indexed proposal);
    event Vote(address indexed principal, uint256 indexed proposal, bool support);
    event CloseVoting(uint256 indexed proposal);
    event Withdraw(address indexed principal, uint256 indexed proposal);
    event Execute(uint256 indexed proposal);
    event Monitor(uint256 indexed proposal);
    event CollectFeedback(address indexed principal, uint256 indexed proposal, bool good);
    event UpdateReputation(uint256 indexed proposal);
    event Penalise(uint256 indexed proposal);
    event Archive(uint256 indexed proposal);
    event Optimize(uint256 indexed proposal);
    event Settle(uint256 indexed proposal);
    event ReportConduct(address indexed principal, address indexed about, bool good);
    event Decay();

    /// @notice only auditors admit members
    error OnlyAuditorsAdmitMembers();
    /// @notice already a member
    error AlreadyAMember();
    /// @notice not a member
    error NotAMember();
    /// @notice already written
    error AlreadyWritten();
    /// @notice not a draft
    error NotADraft();
    /// @notice not your proposal
    error NotYourProposal();
    /// @notice not submitted
    error NotSubmitted();
    /// @notice voting is not open
    error VotingIsNotOpen();
    /// @notice voting has ended
    error VotingHasEnded();
    /// @notice already voted
    error AlreadyVoted();
    /// @notice had no weight when voting opened
    error HadNoWeightWhenVotingOpened();
    /// @notice voting has not ended
    error VotingHasNotEnded();
    /// @notice too late to withdraw
    error TooLateToWithdraw();
    /// @notice not approved
    error NotApproved();
    /// @notice the timelock has not run out
    error TheTimelockHasNotRunOut();
    /// @notice not executing
    error NotExecuting();
    /// @notice only auditors judge outcomes
    error OnlyAuditorsJudgeOutcomes();
    /// @notice not being monitored
    error NotBeingMonitored();
    /// @notice no feedback yet
    error NoFeedbackYet();
    /// @notice not defeated
    error NotDefeated();
    /// @notice it was a fair contest
    error ItWasAFairContest();
    /// @notice nobody came to vote
    error NobodyCameToVote();
    /// @notice reputations are not settled
    error ReputationsAreNotSettled();
    /// @notice not yet analysed
    error NotYetAnalysed();
    /// @notice only auditors report conduct
    error OnlyAuditorsReportConduct();
    /// @notice nobody is the judge of himself
    error NobodyIsTheJudgeOfHimself();
    /// @notice it is not time yet
    error ItIsNotTimeYet();
    /// @notice a parameter lies outside its declared range
    error ParameterOutOfRange(string name);
    /// @notice the roll is full
    error RollIsFull();
    /// @notice a number has more than 128 bits
    error NumberTooLarge();

    struct Parameters {
        int256 votingPeriod;
        int256 timelock;
        int256 decayPeriod;
        int256 quorum;
        int256 proposeThreshold;
        int256 proposalReward;
        int256 proposalPenalty;
        int256 voteReward;
        int256 votePenalty;
        int256 securityReward;
        int256 securityPenalty;
        int256 decay;
    }

    constructor(Parameters memory parameters, address[] memory members_, address[] memory auditors_) {
        if (parameters.votingPeriod < 1000 || parameters.votingPeriod > 2592000000)
            revert ParameterOutOfRange("VOTING_PERIOD");
        VOTING_PERIOD = parameters.votingPeriod;
        if (parameters.timelock < 1000 || parameters.timelock > 2592000000) revert ParameterOutOfRange("TIMELOCK");
        TIMELOCK = parameters.timelock;
        if (parameters.decayPeriod < 1000 || parameters.decayPeriod > 2592000000)
            revert ParameterOutOfRange("DECAY_PERIOD");
        DECAY_PERIOD = parameters.decayPeriod;
        if (parameters.quorum < 1 || parameters.quorum > 1000000) revert ParameterOutOfRange("QUORUM");
        QUORUM = parameters.quorum;
        if (parameters.proposeThreshold < 1 || parameters.proposeThreshold > 1000)
            revert ParameterOutOfRange("PROPOSE_THRESHOLD");
        PROPOSE_THRESHOLD = parameters.proposeThreshold;
        if (parameters.proposalReward < 0 || parameters.proposalReward > 1000)
            revert ParameterOutOfRange("PROPOSAL_REWARD");
        PROPOSAL_REWARD = parameters.proposalReward;
        if (parameters.proposalPenalty < 0 || parameters.proposalPenalty > 1000)
            revert ParameterOutOfRange("PROPOSAL_PENALTY");
        PROPOSAL_PENALTY = parameters.proposalPenalty;
        if (parameters.voteReward < 0 || parameters.voteReward > 1000) revert ParameterOutOfRange("VOTE_REWARD");
        VOTE_REWARD = parameters.voteReward;
        if (parameters.votePenalty < 0 || parameters.votePenalty > 1000) revert ParameterOutOfRange("VOTE_PENALTY");
        VOTE_PENALTY = parameters.votePenalty;
        if (parameters.securityReward < 0 || parameters.securityReward > 1000)
            revert ParameterOutOfRange("SECURITY_REWARD");
        SECURITY_REWARD = parameters.securityReward;
        if (parameters.securityPenalty < 0 || parameters.securityPenalty > 1000)
            revert ParameterOutOfRange("SECURITY_PENALTY");
        SECURITY_PENALTY = parameters.securityPenalty;
        if (parameters.decay < 0 || parameters.decay > 1000) revert ParameterOutOfRange("DECAY");
        DECAY = parameters.decay;
        for (uint256 i = 0; i < members_.length; ++i) {
            _enlistBot(members_[i]);
            _botChange(members_[i]).members = true;
        }
        for (uint256 i = 0; i < auditors_.length; ++i) {
            _enlistBot(auditors_[i]);
            _botChange(auditors_[i]).auditors = true;
        }
    }

    /// An auditor lets a newcomer in.
    function admit(address newcomer) public {
        BotRecord storage principalRow = _botNow(msg.sender);
        if (!principalRow.auditors) revert OnlyAuditorsAdmitMembers();
        BotRecord storage newcomerRow = _botNow(newcomer);
        if (newcomerRow.members || newcomerRow.auditors) revert AlreadyAMember();

        _enlistBot(newcomer);
        _botChange(newcomer).members = true;

        emit Admit(msg.sender, newcomer);
    }

    /// A member writes a proposal down.
    function draft(uint256 proposal, bytes32 what) public {
        BotRecord storage principalRow = _botNow(msg.sender);
        if (!(principalRow.members || principalRow.auditors)) revert NotAMember();
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Unwritten) revert AlreadyWritten();

        proposalRow.stage = Stage.Drafted;
        proposalRow.hasProposer = true;
        proposalRow.proposer = msg.sender;
        proposalRow.hasPayload = true;
        proposalRow.payload = what;

        emit Draft(msg.sender, proposal, what);
    }

    /// The proposer puts it forward. Those without enough standing are turned away here.
    function submit(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Drafted) revert NotADraft();
        if (!(proposalRow.hasProposer && proposalRow.proposer == msg.sender)) revert NotYourProposal();

        BotRecord storage principalRow = _botNow(msg.sender);
        proposalRow.standing = _int128(principalRow.reputation + 100);
        proposalRow.stage = PROPOSE_THRESHOLD <= principalRow.reputation + 100 ? Stage.Submitted : Stage.Rejected;

        emit Submit(msg.sender, proposal);
    }

    /// Voting opens, and everybody's weight is written down for it.
    function openVoting(uint256 proposal) public {
        int256 time = int256(block.timestamp) * 1000;
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Submitted) revert NotSubmitted();

        proposalRow.snapshotCopies.push(++_copies);
        proposalRow.stage = Stage.VotingOpen;
        proposalRow.voteStart = _int128(time);
        proposalRow.voteEnd = _int128(time + VOTING_PERIOD);

        emit OpenVoting(proposal);
    }

    function vote(uint256 proposal, bool support) public {
        int256 time = int256(block.timestamp) * 1000;
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.VotingOpen) revert VotingIsNotOpen();
        if (time > proposalRow.voteEnd) revert VotingHasEnded();
        ProposalBotRow storage proposalPrincipalRow = _proposalBotRows[proposal][msg.sender];
        if (proposalPrincipalRow.ballot != Ballot.None) revert AlreadyVoted();
        int256 amount = snapshot(proposal, msg.sender);
        if (amount <= 0) revert HadNoWeightWhenVotingOpened();

        _enlistBot(msg.sender);
        proposalPrincipalRow.ballot = support ? Ballot.Yes : Ballot.No;
        proposalPrincipalRow.weight = _int128(amount);
        proposalPrincipalRow.counted += 1;
        if (support) proposalRow.yes += _int128(amount);
        if (!support) proposalRow.no += _int128(amount);

        emit Vote(msg.sender, proposal, support);
    }

    /// The time is over: more Yes than No, from a quorum, or it is defeated.
    function closeVoting(uint256 proposal) public {
        int256 time = int256(block.timestamp) * 1000;
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.VotingOpen) revert VotingIsNotOpen();
        if (proposalRow.voteEnd >= time) revert VotingHasNotEnded();

        bool condition = proposalRow.no < proposalRow.yes && QUORUM <= proposalRow.yes + proposalRow.no;
        proposalRow.stage = condition ? Stage.Approved : Stage.Defeated;
        if (condition) proposalRow.readyAt = _int128(proposalRow.voteEnd + TIMELOCK);

        emit CloseVoting(proposal);
    }

    /// The proposer takes it back, any time before it is executed.
    function withdraw(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (!(proposalRow.hasProposer && proposalRow.proposer == msg.sender)) revert NotYourProposal();
        bool condition = proposalRow.stage == Stage.Drafted || proposalRow.stage == Stage.Submitted
            || proposalRow.stage == Stage.VotingOpen || proposalRow.stage == Stage.Approved;
        if (!condition) revert TooLateToWithdraw();

        proposalRow.stage = Stage.Archived;
        proposalRow.withdrawn = true;

        emit Withdraw(msg.sender, proposal);
    }

    function execute(uint256 proposal) public {
        int256 time = int256(block.timestamp) * 1000;
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Approved) revert NotApproved();
        if (proposalRow.readyAt > time) revert TheTimelockHasNotRunOut();

        proposalRow.stage = Stage.Executing;
        proposalRow.executions += 1;
        proposalRow.executedAt = _int128(time);

        emit Execute(proposal);
    }

    function monitor(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Executing) revert NotExecuting();

        proposalRow.stage = Stage.Monitoring;

        emit Monitor(proposal);
    }

    /// An auditor says whether the proposal did what it promised.
    function collectFeedback(uint256 proposal, bool good) public {
        BotRecord storage principalRow = _botNow(msg.sender);
        if (!principalRow.auditors) revert OnlyAuditorsJudgeOutcomes();
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Monitoring) revert NotBeingMonitored();

        proposalRow.stage = Stage.FeedbackLoop;
        proposalRow.worked = good;

        emit CollectFeedback(msg.sender, proposal, good);
    }

    /// Voters who judged the outcome rightly gain, the others lose; and so does the proposer.
    function updateReputation(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.FeedbackLoop) revert NoFeedbackYet();

        ProposalBotRow storage proposalProposerRow = _proposalBotRows[proposal][proposalRow.proposer];
        BotRecord storage proposerRow = _botNow(proposalRow.proposer);
        int256 amount = (proposalProposerRow.ballot == Ballot.Yes) == proposalRow.worked
            ? _min(1000, proposerRow.reputation + 100 + VOTE_REWARD)
            : _max(0, proposerRow.reputation + 100 - VOTE_PENALTY);
        int256 amount2 = proposalProposerRow.ballot != Ballot.None ? amount : proposerRow.reputation + 100;
        int256 amount3 = proposalRow.worked ? _min(1000, amount2 + PROPOSAL_REWARD)
            : _max(0, amount2 - PROPOSAL_PENALTY);
        int256 amount4 = proposalRow.hasProposer ? amount3 : amount2;
        address who = proposalRow.proposer;
        bool condition = proposalRow.worked;
        for (uint256 i = 0; i < _rollBot.length; ++i) {
            address bot = _rollBot[i];
            ProposalBotRow storage proposalBotRow = _proposalBotRows[proposal][bot];
            if (proposalBotRow.ballot != Ballot.None) {
                BotRecord storage botRow = _botNow(bot);
                int256 amount5 = (proposalBotRow.ballot == Ballot.Yes) == condition
                    ? _min(1000, botRow.reputation + 100 + VOTE_REWARD)
                    : _max(0, botRow.reputation + 100 - VOTE_PENALTY);
                _botChange(bot).reputation = _int128(amount5 - 100);
            }
        }
        proposalRow.stage = Stage.ReputationUpdate;
        _botChange(who).reputation = _int128(amount4 - 100);

        emit UpdateReputation(proposal);
    }

    /// A proposal that did not even raise a quorum costs its proposer.
    function penalise(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Defeated) revert NotDefeated();
        if (proposalRow.yes + proposalRow.no >= QUORUM) revert ItWasAFairContest();

        proposalRow.stage = Stage.ReputationUpdate;
        BotRecord storage proposerRow = _botNow(proposalRow.proposer);
        if (proposalRow.hasProposer) {
            _botChange(proposalRow.proposer).reputation = _int128(_max(0, proposerRow.reputation + 100 - PROPOSAL_PENALTY) - 100);
        }

        emit Penalise(proposal);
    }

    /// One that lost a fair contest costs nothing, and is kept with its record of votes.
    function archive(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.Defeated) revert NotDefeated();
        if (QUORUM > proposalRow.yes + proposalRow.no) revert NobodyCameToVote();

        proposalRow.stage = Stage.Archived;

        emit Archive(proposal);
    }

    /// The outcome is handed to the meta layer ...
    function optimize(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.ReputationUpdate) revert ReputationsAreNotSettled();

        proposalRow.stage = Stage.MetaOptimize;
        _cycles += 1;
        if (proposalRow.worked) _successes += 1;

        emit Optimize(proposal);
    }

    /// ... which has learnt from it (see `parameters.policy`).
    function settle(uint256 proposal) public {
        ProposalRow storage proposalRow = _proposalRows[proposal];
        if (proposalRow.stage != Stage.MetaOptimize) revert NotYetAnalysed();

        proposalRow.stage = Stage.Settled;

        emit Settle(proposal);
    }

    /// An auditor reports a member's conduct, good or bad. Nobody is the judge of himself.
    function reportConduct(address about, bool good) public {
        BotRecord storage principalRow = _botNow(msg.sender);
        if (!principalRow.auditors) revert OnlyAuditorsReportConduct();
        BotRecord storage aboutRow = _botNow(about);
        if (!(aboutRow.members || aboutRow.auditors)) revert NotAMember();
        if (msg.sender == about) revert NobodyIsTheJudgeOfHimself();

        int256 amount = good ? _min(1000, aboutRow.reputation + 100 + SECURITY_REWARD)
            : _max(0, aboutRow.reputation + 100 - SECURITY_PENALTY);
        _botChange(about).reputation = _int128(amount - 100);

        emit ReportConduct(msg.sender, about, good);
    }

    /// Old merit fades: everybody loses a little every week.
    function decay() public {
        int256 time = int256(block.timestamp) * 1000;
        if (_decayedAt + DECAY_PERIOD > time) revert ItIsNotTimeYet();

        for (uint256 i = 0; i < _rollBot.length; ++i) {
            address bot = _rollBot[i];
            BotRecord storage botRow = _botNow(bot);
            if (botRow.members || botRow.auditors) {
                _botChange(bot).reputation = _int128(_max(0, botRow.reputation + 100 - DECAY) - 100);
            }
        }
        _decayedAt = _int128(time);

        emit Decay();
    }

    function reputation(address bot_) public view returns (int256) {
        return _botNow(bot_).reputation + 100;
    }

    function decayedAt() public view returns (int256) {
        return _decayedAt;
    }

    function stage(uint256 proposal_) public view returns (Stage) {
        return _proposalRows[proposal_].stage;
    }

    function hasProposer(uint256 proposal_) public view returns (bool) {
        return _proposalRows[proposal_].hasProposer;
    }

    function proposer(uint256 proposal_) public view returns (address) {
        return _proposalRows[proposal_].proposer;
    }

    function hasPayload(uint256 proposal_) public view returns (bool) {
        return _proposalRows[proposal_].hasPayload;
    }

    function payload(uint256 proposal_) public view returns (bytes32) {
        return _proposalRows[proposal_].payload;
    }

    /// The proposer's reputation when the proposal was submitted.
    function standing(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].standing;
    }

    function voteStart(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].voteStart;
    }

    function voteEnd(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].voteEnd;
    }

    function readyAt(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].readyAt;
    }

    function executedAt(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].executedAt;
    }

    function ballot(uint256 proposal_, address bot_) public view returns (Ballot) {
        return _proposalBotRows[proposal_][bot_].ballot;
    }

    /// How often a voter was counted, and with what weight.
    function counted(uint256 proposal_, address bot_) public view returns (int256) {
        return _proposalBotRows[proposal_][bot_].counted;
    }

    function weight(uint256 proposal_, address bot_) public view returns (int256) {
        return _proposalBotRows[proposal_][bot_].weight;
    }

    function yes(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].yes;
    }

    function no(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].no;
    }

    function executions(uint256 proposal_) public view returns (int256) {
        return _proposalRows[proposal_].executions;
    }

    function withdrawn(uint256 proposal_) public view returns (bool) {
        return _proposalRows[proposal_].withdrawn;
    }

    function worked(uint256 proposal_) public view returns (bool) {
        return _proposalRows[proposal_].worked;
    }

    /// What the meta layer learns from: proposals that came full circle, and those of them that did what they promised.
    function cycles() public view returns (int256) {
        return _cycles;
    }

    /// What the meta layer learns from: proposals that came full circle, and those of them that did what they promised.
    function successes() public view returns (int256) {
        return _successes;
    }

    function members(address bot_) public view returns (bool) {
        return _botNow(bot_).members;
    }

    /// Auditors judge outcomes and conduct. Each is a member too.
    function auditors(address bot_) public view returns (bool) {
        return _botNow(bot_).auditors;
    }

    /// What each voter was worth when voting opened. Only this counts.
    /// Looked up: what was known when it was copied.
    function snapshot(uint256 proposal_, address bot_) public view returns (int256) {
        uint64[] storage copies = _proposalRows[proposal_].snapshotCopies;
        for (uint256 i = copies.length; i > 0; --i) {
            BotRecord storage record = _botThen(bot_, copies[i - 1]);
            if (record.members || record.auditors) return record.reputation + 100;
        }
        return 0;
    }

    /// What is known of a Bot now.
    function _botNow(address bot_) private view returns (BotRecord storage) {
        BotRecord[] storage records = _botRecords[bot_];
        return records.length > 0 ? records[records.length - 1] : _botStart;
    }

    /// What was known of a Bot when this copy was made: the latest record that began before it.
    function _botThen(address bot_, uint64 copy) private view returns (BotRecord storage) {
        BotRecord[] storage records = _botRecords[bot_];
        uint256 low = 0;
        uint256 high = records.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (records[middle].since < copy) low = middle + 1;
            else high = middle;
        }
        return low > 0 ? records[low - 1] : _botStart;
    }

    /// The record of a Bot to write to: a new one, like the last, if a copy was made since.
    function _botChange(address bot_) private returns (BotRecord storage) {
        BotRecord[] storage records = _botRecords[bot_];
        if (records.length == 0 || records[records.length - 1].since < _copies) {
            records.push(_botNow(bot_));
            records[records.length - 1].since = _copies;
        }
        return records[records.length - 1];
    }

    /// Puts somebody on the roll of Bot, once.
    function _enlistBot(address bot_) private {
        if (_onRollBot[bot_]) return;
        if (_rollBot.length >= MOST_BOT) revert RollIsFull();
        _onRollBot[bot_] = true;
        _rollBot.push(bot_);
    }

    function _int128(int256 value_) private pure returns (int128 narrow_) {
        narrow_ = int128(value_);
        if (narrow_ != value_) revert NumberTooLarge();
    }

    function _min(int256 a_, int256 b_) private pure returns (int256) {
        return a_ < b_ ? a_ : b_;
    }

    function _max(int256 a_, int256 b_) private pure returns (int256) {
        return a_ > b_ ? a_ : b_;
    }
}
