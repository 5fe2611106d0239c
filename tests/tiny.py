"""hand-built small system for trying the verifier"""
from policydsl.core.expr import *
from policydsl.core.system import *
from policydsl.core.types import *
Bot=EntityType("Bot"); Prop=EntityType("Proposal")
Stage=EnumType("Stage",("Drafted","Open","Approved","Executed")); Ballot=EnumType("Ballot",("None","Yes","No"))
def S(n,keys,t,init,**k): return StateVar(n,keys,t,init,**k)
rep=S("reputation",(Bot,),INT,number(100)); stage=S("stage",(Prop,),Stage,case(Stage,"Drafted"))
ballot=S("ballot",(Prop,Bot),Ballot,case(Ballot,"None")); yes=S("yes",(Prop,),INT,ZERO); execs=S("execs",(Prop,),INT,ZERO)
prh=S("proposer.has",(Prop,),BOOL,FALSE); prv=S("proposer.value",(Prop,),Bot,individual(Bot,""))
votes=S("votes",(Prop,Bot),INT,ZERO)
def inp(n,t): return Input(n,t)
pr=inp("principal",Bot); p=inp("proposal",Prop); sup=inp("support",BOOL)
G=lambda e,r: Guard(GuardKind.REQUIRE,e,r)
sel=lambda v,*k: select(v.ref,*k)
submit=Action("submit",(pr,p),(G(eq(sel(stage,p.ref),case(Stage,"Drafted")),"not drafted"),),(
 Write("stage",(p.ref,),case(Stage,"Open")),Write("proposer.has",(p.ref,),TRUE),Write("proposer.value",(p.ref,),pr.ref)))
def vote(check):
  gs=(G(eq(sel(stage,p.ref),case(Stage,"Open")),"not open"),)
  if check: gs+=(G(eq(sel(ballot,p.ref,pr.ref),case(Ballot,"None")),"already voted"),)
  return Action("vote",(pr,p,sup),gs,(
   Write("ballot",(p.ref,pr.ref),ite(sup.ref,case(Ballot,"Yes"),case(Ballot,"No"))),
   Write("votes",(p.ref,pr.ref),add(sel(votes,p.ref,pr.ref),number(1))),
   Write("yes",(p.ref,),ite(sup.ref,add(sel(yes,p.ref),sel(rep,pr.ref)),sel(yes,p.ref)))))
close=Action("close",(p,),(G(eq(sel(stage,p.ref),case(Stage,"Open")),"not open"),G(le(number(300),sel(yes,p.ref)),"no quorum")),(Write("stage",(p.ref,),case(Stage,"Approved")),))
def execute(cap):
  prop=sel(prv,p.ref); new=add(sel(rep,prop),number(10))
  if cap: new=arith(Op.MIN,number(1000),new)
  return Action("execute",(pr,p),(G(eq(sel(stage,p.ref),case(Stage,"Approved")),"not approved"),),(
   Write("stage",(p.ref,),case(Stage,"Executed")),Write("execs",(p.ref,),add(sel(execs,p.ref),number(1))),
   Write("reputation",(prop,),ite(sel(prh,p.ref),new,sel(rep,prop)))))
b=Ref("b#1",Bot,Space.BOUND); q=Ref("p#1",Prop,Space.BOUND)
props=(
 Property("bounded",PropertyKind.INVARIANT,forall(b,conj(le(ZERO,sel(rep,b)),le(sel(rep,b),number(1000))))),
 Property("no_double_execution",PropertyKind.INVARIANT,forall(q,le(sel(execs,q),number(1)))),
 Property("one_ballot",PropertyKind.INVARIANT,forall(q,forall(b,le(sel(votes,q,b),number(1))))),
 Property("quorum",PropertyKind.INVARIANT,forall(q,implies(le(number(1),sel(execs,q)),le(number(300),sel(yes,q))))),
 Property("wins",PropertyKind.REACHABLE,exists(q,eq(sel(execs,q),number(1)))),
)
def system(good=True):
  return System("mini",(),(rep,stage,ballot,yes,execs,prh,prv,votes),(submit,vote(good),close,execute(good)),props)
